"""Pythons that start with TensorFlow imported: forked from one process, each four seconds of work less."""
