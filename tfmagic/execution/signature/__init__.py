"""Signatures: feeds and outputs, their inference, conversion and checks."""
