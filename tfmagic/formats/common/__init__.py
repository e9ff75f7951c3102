"""What several formats share: sources, destinations, loading, what was written."""
