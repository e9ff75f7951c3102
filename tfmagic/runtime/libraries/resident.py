"""How much of each mapped file is in memory."""

from __future__ import annotations

import time

from tfmagic.core.process import once

_SMAPS = "/proc/self/smaps"
_DELETED = " (deleted)"


class Resident:
    """Resident bytes of each mapped file, as last sampled.

    Reading ``/proc/self/smaps`` has the kernel walk every page table: tens of
    milliseconds, in which the process can map nothing. So it is read when it is asked
    for, and not for each snapshot.

    Attributes
    ----------
    at_s : float or None
        When it was sampled, in seconds since the epoch; None before the first time,
        and where the platform has no such file.
    """

    def __init__(self) -> None:
        self.at_s: float | None = None
        self._bytes: dict[str, int] = {}

    def sample(self) -> None:
        """Look now."""
        found: dict[str, int] = {}
        path: str | None = None
        try:
            with open(_SMAPS, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123 - no file
                for line in lines:
                    if line.startswith("Rss:"):
                        if path is not None:
                            found[path] = found.get(path, 0) + int(line.split()[1]) * 1024
                    elif line[0] in "0123456789abcdef":
                        parts = line.rstrip("\n").split(None, 5)
                        path = parts[5].removesuffix(_DELETED) if len(parts) == 6 else None
        except OSError:
            return
        self._bytes, self.at_s = found, time.time()

    def of(self, path: str) -> int | None:
        """Return what a file had resident when it was sampled; None where that is not known."""
        return self._bytes.get(path)


def resident() -> Resident:
    """Return the process's samples."""
    return once("resident libraries", Resident)
