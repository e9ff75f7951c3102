"""Calling a model: batches, deadlines, timing, warm-up, stop."""
