"""The extension in IPython: loading, settings, display, cells that run in a room."""
