"""Views: they draw records as text and HTML, and compute nothing."""
