"""Whether a cell is running in this kernel, and since when; outside a notebook none ever is."""

from __future__ import annotations

import time

from tfmagic.runtime.process import once


class Busy:
    """The cell that is running.

    Attributes
    ----------
    since_s : float or None
        When it began, in seconds since the epoch; None between cells.
    """

    def __init__(self) -> None:
        self.since_s: float | None = None

    def begin(self) -> None:
        """Note that a cell begins."""
        self.since_s = time.time()

    def end(self) -> None:
        """Note that it has ended."""
        self.since_s = None


def busy() -> Busy:
    """Return the process's note of it."""
    return once("busy", Busy)
