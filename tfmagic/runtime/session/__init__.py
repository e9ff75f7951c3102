"""The one session of this process, and the graphs that it runs."""
