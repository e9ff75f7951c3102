"""Tensorflow."""
