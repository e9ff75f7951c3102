"""How much memory the process uses, and how much its container has left."""

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

# Sampling walks all mappings, which takes 10 ms.
_SAMPLE_EVERY_S = 10.0
# More often while the process's size has changed by more than this share.
_SAMPLE_CHANGED_EVERY_S = 1.0
_SAME_SIZE = 0.02
_CGROUP = Path("/sys/fs/cgroup")
# Version 1 expresses "no limit" by the largest page-aligned number.
_NO_LIMIT = 1 << 60


class ProcessMemoryRecord(TypedDict):
    """The process's memory. None stands for what is not known.

    Attributes
    ----------
    rss_bytes
        Resident memory.
    private_bytes, shared_bytes
        The process's own part, and its share of memory that several processes map
        (PSS less the private part); sampled every ten seconds, sooner after the
        process has grown or shrunk by a fiftieth.
    limit_bytes, limit_used_bytes
        The container's limit, and the use of all its processes.
    available_bytes
        Memory that can still be had, within the container's limit.
    free_in_malloc_bytes
        Memory that malloc holds free and has not given back.
    """

    rss_bytes: int
    private_bytes: int | None
    shared_bytes: int | None
    limit_bytes: int | None
    limit_used_bytes: int | None
    available_bytes: int
    free_in_malloc_bytes: int | None


class _Shares:
    """The private and shared parts of the process's memory, as last sampled."""

    def __init__(self) -> None:
        self._sampled_s = float("-inf")
        self._rss = 0
        self.private: int | None = None
        self.shared: int | None = None

    def sample(self, rss: int, *, now: bool) -> None:
        """Sample if it is time to; with `now`, whatever that costs."""
        time_s = time.monotonic()
        interval_s = _SAMPLE_EVERY_S if abs(rss - self._rss) <= _SAME_SIZE * rss else _SAMPLE_CHANGED_EVERY_S
        if not now and time_s - self._sampled_s < interval_s:
            return
        self._sampled_s, self._rss = time_s, rss
        self.private = self.shared = None
        with contextlib.suppress(psutil.Error, AttributeError, OSError):
            full = psutil.Process().memory_full_info()
            self.private = int(full.uss)
            if hasattr(full, "pss"):
                self.shared = max(0, int(full.pss) - self.private)


def process_memory(*, sample_now: bool = False) -> ProcessMemoryRecord:
    """Return the process's memory; with `sample_now`, its private and shared parts are not those of a moment ago."""
    shares = once("memory shares", _Shares)
    rss = rss_bytes()
    shares.sample(rss, now=sample_now)
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
    """Return how much memory can still be had, within the container's limit."""
    free = int(psutil.virtual_memory().available)
    limit, used = container_limit()
    return free if limit is None or used is None else min(free, max(0, limit - used))


def container_limit(root: Path = _CGROUP) -> tuple[int | None, int | None]:
    """Return the container's memory limit and its use in bytes; None where there is no limit.

    The tightest limit counts: in version 2 those of the process's control group and all groups above it, in
    version 1 those of the memory controller.
    """
    limits = [
        (limit, _in_use(folder, used, cached))
        for folder, limit_file, used, cached in _groups(root)
        if (limit := _number(folder / limit_file)) is not None and limit < _NO_LIMIT
    ]
    return min(limits, key=lambda pair: pair[0]) if limits else (None, None)


def _groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Yield each control group's folder, its files for limit and use, and the line for cached files."""
    group = _own_group("")
    for folder in [root / group, *(root / group).parents] if group else [root]:
        if folder == root or root in folder.parents:
            yield folder, "memory.max", "memory.current", "inactive_file"
    for folder in {root / "memory", root / "memory" / _own_group("memory")}:
        yield folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def _in_use(folder: Path, file: str, cached: str) -> int | None:
    """Return how much a group uses, less cached files, which would give way."""
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
