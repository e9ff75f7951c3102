# ruff: noqa: ARG001 - each verb takes the folder, whether it needs it or not
"""Each verb again and again: memory, threads, open files and files on disk stay as they are after the first cycles."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import frozen_linear, run_cell, save_linear_v1

from tfmagic import models
from tfmagic.concurrency.workers import workers
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

CYCLES = int(os.environ.get("TFMAGIC_CYCLES", "60"))
# First cycles import modules and fill caches.
FIRST = 20
# A leak grows in every part of the cycles. A table that doubles, or a history that fills, does so in one.
PARTS = 10
# What a cycle may leave behind: the fewer cycles, the more of it is chance, and histories that are not full yet.
MOST = {
    "threads": 0,
    "open files": 0,
    "files": 0,
    "bytes": 100 + 100_000 / CYCLES,
    "Python blocks": 1 + 1800 / CYCLES,
}
X = np.ones((1, 2), np.float32)


def add_and_drop(folder: Path) -> None:
    models.add("cycled", str(folder / "frozen.pb"))
    models.cycled(X)
    models.drop("cycled")


def park_and_wake(folder: Path) -> None:
    models.kept.park()
    models.kept.wake()


def renew(folder: Path) -> None:
    os.utime(folder / "kept" / "saved_model.pb")
    models.add("kept", str(folder / "kept"))


def replace(folder: Path) -> None:
    models.add("taken", str(folder / "frozen.pb"), replace=True)
    models.add("taken", str(folder / "kept"), replace=True)


def call(folder: Path) -> None:
    models.kept(X)
    models.kept.run(X, timeout=60)


def cell(folder: Path) -> None:
    run_cell(models.kept, "value = session.run(graph.get_collection('variables')[0])")


def save(folder: Path) -> None:
    models.kept.save(folder / "saved", replace=True)


def stop(folder: Path) -> None:
    models.kept.stop()
    models.kept.stop(now=True)


def list_and_inspect(folder: Path) -> None:
    models.records()
    models.inspect(str(folder / "kept"))


def refuse(folder: Path) -> None:
    with pytest.raises(ValueError, match="takes float32"):
        models.kept(np.ones((1, 3), np.float32))


VERBS: list[Callable[[Path], None]] = [
    *(add_and_drop, park_and_wake, renew, replace, call, cell, save, stop, list_and_inspect, refuse),
]


class AllocatorInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc's malloc.h."""

    _fields_ = (
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    )


def allocated_bytes() -> int:
    """Return the bytes that are allocated and not freed: resident memory also has what the kernel and malloc keep."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = AllocatorInfo
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def held(folder: Path) -> dict[str, int]:
    gc.collect()
    return {
        "threads": threading.active_count(),
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "files": sum(len(files) for _, _, files in os.walk(folder)),
        "bytes": allocated_bytes(),
        "Python blocks": sys.getallocatedblocks(),
    }


@pytest.fixture(autouse=True)
def _as_in_a_kernel(tmp_path: Path) -> Iterator[None]:
    park_directory().choose(str(tmp_path / "parked"))
    # In a script, each call with a timeout has a thread of its own. TensorFlow keeps 117 bytes of each such thread.
    workers().interactive = True
    yield
    workers().dismiss()
    models.drop(all=True)
    park_directory().choose("")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_verb_leaves_nothing_behind_however_often_it_is_used(verb: Callable[[Path], None], tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "kept", 2.0, 0.0)
    frozen_linear(tmp_path / "frozen.pb", 2.0, 0.0)
    models.add("kept", str(tmp_path / "kept"))
    for _ in range(FIRST):
        verb(tmp_path)
    parts = [held(tmp_path)]
    for _ in range(PARTS):
        for _ in range(CYCLES // PARTS):
            verb(tmp_path)
        parts.append(held(tmp_path))
    for what, most in MOST.items():
        cycle = statistics.median(after[what] - before[what] for before, after in pairwise(parts)) * PARTS / CYCLES
        assert cycle <= most, f"{what} that each cycle left: {[part[what] for part in parts]}"
