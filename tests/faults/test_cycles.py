# ruff: noqa: ARG001 - each verb takes the folder, whether it needs it or not
"""Each verb again and again: memory, threads, open files and files on disk stay as they are after the first cycles."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import frozen_linear, run_cell, save_linear_v1

from tfmagic import models
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

CYCLES = int(os.environ.get("TFMAGIC_CYCLES", "60"))
# First cycles import modules and fill caches.
FIRST = 20
# A leak of one small array a cycle is more than this at 10,000 cycles, and one page a cycle more at 60.
MOST_BYTES = 4_000_000
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


def held(folder: Path) -> dict[str, Any]:
    gc.collect()
    memory_policy().give_back()
    return {
        "threads": threading.active_count(),
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "files": sum(len(files) for _, _, files in os.walk(folder)),
        "bytes": rss_bytes(),
    }


@pytest.fixture(autouse=True)
def _parked_here(tmp_path: Path) -> Iterator[None]:
    park_directory().choose(str(tmp_path / "parked"))
    yield
    models.drop(all=True)
    park_directory().choose("")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_verb_leaves_nothing_behind_however_often_it_is_used(verb: Callable[[Path], None], tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "kept", 2.0, 0.0)
    frozen_linear(tmp_path / "frozen.pb", 2.0, 0.0)
    models.add("kept", str(tmp_path / "kept"))
    for _ in range(FIRST):
        verb(tmp_path)
    before = held(tmp_path)
    for _ in range(CYCLES):
        verb(tmp_path)
    after = held(tmp_path)
    grown = {what: after[what] - before[what] for what in before}
    assert grown.pop("bytes") < MOST_BYTES
    assert {what: more for what, more in grown.items() if more > 0} == {}
