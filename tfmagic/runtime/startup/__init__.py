"""How TensorFlow is imported, and with which thread pools."""
