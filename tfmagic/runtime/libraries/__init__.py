"""Shared libraries of this process: which are loaded, from where, and how often."""
