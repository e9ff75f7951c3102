"""Keras: ``.keras`` and ``.h5`` files, and live Keras models."""
