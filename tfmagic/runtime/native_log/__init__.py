"""Native log."""
