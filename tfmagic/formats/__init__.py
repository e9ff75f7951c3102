"""Formats that models come from and are saved to: one package a format."""
