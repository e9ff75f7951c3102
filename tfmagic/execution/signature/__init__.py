"""Signatures: feeds and outputs, their inference, conversion and checks. A wrong input is an `InputError`."""
