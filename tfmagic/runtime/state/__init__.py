"""Values of variables and tables: read, written, kept in memory or on disk."""
