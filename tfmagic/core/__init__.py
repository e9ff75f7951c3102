"""Small helpers that know nothing of TensorFlow, IPython or models."""
