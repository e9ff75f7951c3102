"""TensorFlow's private and changing names, each with its fallback."""
