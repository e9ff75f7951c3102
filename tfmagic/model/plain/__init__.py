"""Models as plain TensorFlow code: one file a kind of file that the code reads."""
