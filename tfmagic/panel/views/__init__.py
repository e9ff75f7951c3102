"""Views: one file for each page of the panel."""
