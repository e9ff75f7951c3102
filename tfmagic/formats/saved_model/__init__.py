"""Saved model."""
