"""The magics: parse the line, call the Python API, show the result."""
