"""Frozen graphs (``.pb``, ``.pbtxt``): read, write, thaw constants into variables."""
