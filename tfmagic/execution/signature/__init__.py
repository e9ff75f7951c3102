"""Signature."""
