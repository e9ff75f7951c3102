"""Several."""
