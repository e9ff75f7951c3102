"""The one TensorFlow of this process; knows no models and no IPython."""
