"""The snapshot: one record of the whole runtime, and its sampler."""
