"""TensorFlow's private and changing parts, each name with what replaces it."""
