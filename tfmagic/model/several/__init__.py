"""Several models at once: compare outputs, match names, run side by side."""
