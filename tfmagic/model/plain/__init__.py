"""Models as plain TensorFlow code: one file a kind of saved model."""
