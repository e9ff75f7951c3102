"""Lifecycle of a model: built, changed by training, cells running in its room, released."""
