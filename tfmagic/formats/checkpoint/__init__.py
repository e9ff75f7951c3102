"""TF1 checkpoints with a meta graph."""
