"""The package's version, also for the build of the wheel and of the page."""

__version__ = "0.1.0"
