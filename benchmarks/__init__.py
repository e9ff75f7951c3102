"""Every figure that the README quotes, with its peers, from one command: ``python -m benchmarks``."""
