"""Registered models: lifecycle, memory, runs, and the registry. Knows no IPython."""
