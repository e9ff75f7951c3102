"""Graphdef."""
