"""What TensorFlow's C++ side writes to stderr."""
