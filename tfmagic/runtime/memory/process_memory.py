"""What the process and each device use of memory, as far as it is known."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import psutil

from tfmagic.core.process import once
from tfmagic.runtime.memory.malloc import malloc, rss_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

# Reading them walks all mappings, which takes 10 ms.
_SHARES_AGE_S = 10.0
# Sooner where the process is no longer as large as it was then, give or take this share.
_SHARES_PAUSE_S = 1.0
_SAME_SIZE = 0.02
_CGROUP = Path("/sys/fs/cgroup")
# From here on a limit is none: version 1 says so with the largest page-aligned number.
_NO_LIMIT = 1 << 60


class ProcessMemoryRecord(TypedDict):
    """The process's memory. None stands for what is not known.

    Attributes
    ----------
    rss_bytes
        Resident now.
    private_bytes, shared_bytes
        Its own part, and its share of what several processes have mapped (PSS less
        the private part); sampled every ten seconds, sooner where the process has
        grown or shrunk by a fiftieth.
    limit_bytes, limit_used_bytes
        The container's limit, and what all of its processes use.
    available_bytes
        What can still be had, the container's limit counted.
    free_in_malloc_bytes
        What malloc holds free and has not given back, as far as is known.
    """

    rss_bytes: int
    private_bytes: int | None
    shared_bytes: int | None
    limit_bytes: int | None
    limit_used_bytes: int | None
    available_bytes: int
    free_in_malloc_bytes: int | None


class _Shares:
    """The parts of the process's memory, as last sampled."""

    def __init__(self) -> None:
        self.at_s = float("-inf")
        self.rss = 0
        self.private: int | None = None
        self.shared: int | None = None

    def look(self, rss: int, *, anew: bool) -> None:
        """Sample, unless that was done a moment ago, or lately and the process is as large as then."""
        now = time.monotonic()
        patience_s = _SHARES_AGE_S if abs(rss - self.rss) <= _SAME_SIZE * rss else _SHARES_PAUSE_S
        if not anew and now - self.at_s < patience_s:
            return
        self.at_s, self.rss = now, rss
        self.private = self.shared = None
        with contextlib.suppress(psutil.Error, AttributeError, OSError):
            full = psutil.Process().memory_full_info()
            self.private = int(full.uss)
            if hasattr(full, "pss"):
                self.shared = max(0, int(full.pss) - self.private)


def process_memory(*, anew: bool = False) -> ProcessMemoryRecord:
    """Return what the process uses.

    Parameters
    ----------
    anew
        Whether the private and shared parts are sampled now, whatever that costs.
    """
    shares = once("memory shares", _Shares)
    rss = rss_bytes()
    shares.look(rss, anew=anew)
    limit, used = container_limit()
    return {
        "rss_bytes": rss,
        "private_bytes": shares.private,
        "shared_bytes": shares.shared,
        "limit_bytes": limit,
        "limit_used_bytes": used,
        "available_bytes": available_bytes(),
        "free_in_malloc_bytes": malloc().held_free_bytes(),
    }


def available_bytes() -> int:
    """Return how much memory can still be had, a container's limit counted."""
    free = int(psutil.virtual_memory().available)
    limit, used = container_limit()
    return free if limit is None or used is None else min(free, max(0, limit - used))


def container_limit(root: Path = _CGROUP) -> tuple[int | None, int | None]:
    """Return the container's memory limit in bytes and what is used of it, None where there is none.

    Of control groups of version 2 the process's own and all above it are looked at,
    of version 1 the memory controller; the tightest counts.
    """
    found = [
        (limit, _in_use(folder, used, cached))
        for folder, most, used, cached in _groups(root)
        if (limit := _number(folder / most)) is not None and limit < _NO_LIMIT
    ]
    return min(found, key=lambda pair: pair[0]) if found else (None, None)


def _groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Give each control group's folder, the files of its limit and of what is used, and the line of what is cached."""
    group = _own_group("")
    for folder in [root / group, *(root / group).parents] if group else [root]:
        if folder == root or root in folder.parents:
            yield folder, "memory.max", "memory.current", "inactive_file"
    for folder in {root / "memory", root / "memory" / _own_group("memory")}:
        yield folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def _in_use(folder: Path, file: str, cached: str) -> int | None:
    """Return what a group uses, less the files that are cached and would give way."""
    used = _number(folder / file)
    if used is None:
        return None
    with contextlib.suppress(OSError):
        for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines():
            name, _, count = line.partition(" ")
            if name == cached and count.isdigit():
                return max(0, used - int(count))
    return used


def _own_group(controller: str) -> str:
    """Return the process's control group, relative to the root; empty where it is not known."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                return path.strip("/")
    return ""


def _number(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
