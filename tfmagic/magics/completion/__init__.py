"""What Tab offers in tfmagic's lines, and in the cells of a room."""

IDENTIFIER = "tfmagic"
"""What IPython calls the matcher: by this name it is found again, also after a reload."""
