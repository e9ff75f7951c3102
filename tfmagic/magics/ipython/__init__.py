"""What differs from one IPython to the next."""
