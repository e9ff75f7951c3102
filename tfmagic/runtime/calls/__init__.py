"""Prepared native calls, and the check that two ways to call give the same results."""
