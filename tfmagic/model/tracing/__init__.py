"""Placement and traces of a run, as records and as Chrome traces."""
