"""The cells that are running in this kernel; outside a notebook there are none."""

from __future__ import annotations

import threading
import time

from tfmagic.core.process import once


class RunningCells:
    """The cells that are running: one may run another, as ``%%capture`` does, and so may a subshell."""

    def __init__(self) -> None:
        self._began_s: dict[int, list[float]] = {}

    @property
    def since_s(self) -> float | None:
        """When the first of them began, in seconds since the epoch; None between cells."""
        return min((began_s[0] for began_s in list(self._began_s.values())), default=None)

    def begin(self) -> None:
        """Note that a cell begins in this thread."""
        thread = threading.get_ident()
        # Never empty and never changed in place: other threads look at it.
        self._began_s[thread] = [*self._began_s.get(thread, ()), time.time()]

    def end(self) -> None:
        """Note that the innermost cell of this thread has ended."""
        thread = threading.get_ident()
        # The cell that loads tfmagic ends without having begun.
        if outer := self._began_s.get(thread, [])[:-1]:
            self._began_s[thread] = outer
        else:
            self._began_s.pop(thread, None)

    def clear(self) -> None:
        """Forget all cells."""
        self._began_s.clear()


def running_cells() -> RunningCells:
    """Return the process's running cells."""
    return once("running cells", RunningCells)
