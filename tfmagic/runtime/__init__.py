"""The one TensorFlow of this process. Knows no models and no IPython."""
