"""One graph: what its operations do, and its native session."""
