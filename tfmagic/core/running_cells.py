"""Whether a cell is running in this kernel, and since when; outside a notebook none ever is."""

from __future__ import annotations

import threading
import time

from tfmagic.core.process import once


class Busy:
    """The cells that are running: one may run another, as ``%%capture`` does, and so may a subshell."""

    def __init__(self) -> None:
        self._began_s: dict[int, list[float]] = {}

    @property
    def since_s(self) -> float | None:
        """When the first of them began, in seconds since the epoch; None between cells."""
        return min((began_s[0] for began_s in list(self._began_s.values())), default=None)

    def begin(self) -> None:
        """Note that a cell begins in this thread."""
        me = threading.get_ident()
        # Never empty and never changed in place: other threads look at it.
        self._began_s[me] = [*self._began_s.get(me, ()), time.time()]

    def end(self) -> None:
        """Note that this thread's last one has ended."""
        me = threading.get_ident()
        # None has begun where the cell is the one that has loaded tfmagic.
        if before := self._began_s.get(me, [])[:-1]:
            self._began_s[me] = before
        else:
            self._began_s.pop(me, None)

    def forget(self) -> None:
        """Note nothing any more."""
        self._began_s.clear()


def busy() -> Busy:
    """Return the process's note of it."""
    return once("busy", Busy)
