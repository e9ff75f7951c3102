"""Models written to disk: one file a format, and one for each thing that they share."""
