"""Troubles: known causes, how each is recognised, and what to type."""
