"""How much of each mapped file is in memory."""

from __future__ import annotations

import time

from tfmagic.core.process import once

_SMAPS = "/proc/self/smaps"
_DELETED = " (deleted)"


class ResidentSizes:
    """Resident bytes of each mapped file, as last sampled.

    Reading ``/proc/self/smaps`` makes the kernel walk every page table: tens of milliseconds in which the process
    can map nothing. So it is sampled on request, and not for each snapshot. ``at_s`` is the time of the last sample
    in seconds since the epoch; None before the first, and where the platform has no such file.
    """

    def __init__(self) -> None:
        self.at_s: float | None = None
        self._bytes: dict[str, int] = {}

    def sample(self) -> None:
        """Sample now."""
        sizes: dict[str, int] = {}
        path: str | None = None
        try:
            with open(_SMAPS, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123 - no file
                for line in lines:
                    if line.startswith("Rss:"):
                        if path is not None:
                            sizes[path] = sizes.get(path, 0) + int(line.split()[1]) * 1024
                    elif line[0] in "0123456789abcdef":
                        parts = line.rstrip("\n").split(None, 5)
                        path = parts[5].removesuffix(_DELETED) if len(parts) == 6 else None
        except OSError:
            return
        self._bytes, self.at_s = sizes, time.time()

    def of(self, path: str) -> int | None:
        """Return the resident bytes of a file at the last sample, or None if unknown."""
        return self._bytes.get(path)


def resident_sizes() -> ResidentSizes:
    """Return the process's `ResidentSizes`."""
    return once("resident libraries", ResidentSizes)
