"""What is given back to the system and what is kept, beside what stock TensorFlow does in the same run.

Each reading is of a process of its own, whose memory is looked at once a small graph has run.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure
from benchmarks.memory_ways import BUDGET_MB
from benchmarks.processes import printed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 3
PAIRS = 5


def dropped() -> list[Figure]:
    """Return the share of a dropped model that goes back."""
    rows = []
    for mode in ("graph", "eager"):
        for way in ("tfmagic", "stock"):
            shares = [_reading("dropped", way, mode)["share_percent"] for _ in range(ROUNDS)]
            rows.append(Figure(f"256 MB {mode} model dropped, {way}: given back", "%", shares, _if_ours(way, "≥ 98 %")))
    return rows


def policy() -> list[Figure]:
    """Return how long a run with big activations takes under each policy; processes take turns."""
    times: dict[str, list[float]] = {"pool": [], "return": []}
    for pair in range(PAIRS):
        # Whoever comes second may find a machine that has warmed up, or been throttled.
        for way in list(times)[:: 1 if pair % 2 else -1]:
            times[way].append(_reading("policy", way)["run_ms"])
    ratio = statistics.median(times["return"]) / statistics.median(times["pool"])
    return [
        *(Figure(f'run of a conv net, batch 32, under "{way}"', "ms", readings) for way, readings in times.items()),
        Figure('"return" over "pool", median over median', "times", [ratio], "≤ 1.05"),
    ]


def saved_model() -> list[Figure]:
    """Return what a loaded SavedModel takes over its weights."""
    return _over_weights("saved_model", "SavedModel of Keras's export()", "tf.saved_model.load", "≤ 1.1")


def frozen() -> list[Figure]:
    """Return what a frozen graph takes over its weights, once three fetches have been run."""
    return _over_weights("frozen", "frozen graph, three fetches", "import_graph_def and Session", "≤ 1.15")


def keras_files() -> list[Figure]:
    """Return by how much the process grows when a Keras file is loaded, used and dropped ten times."""
    rows = []
    with _file("keras_files") as path:
        for way in ("tfmagic", "stock"):
            readings = [_reading("keras_files", way, path) for _ in range(2)]
            what = f".keras of 193 MB loaded, predict, dropped, ten times, {way}: growth"
            rows.append(Figure(what, "MB", [one["grown_mb"] for one in readings], _if_ours(way, "≤ 20 MB")))
    return rows


def trained() -> list[Figure]:
    """Return by how much the process grows with live Keras models that were compiled, trained and let go of."""
    rows = []
    for way in ("tfmagic", "stock"):
        readings = [_reading("trained", way)["grown_mb"] for _ in range(2)]
        what = f"live Keras model of 64 MB compiled, trained, let go of, five more times, {way}: growth"
        rows.append(Figure(what, "MB", readings, _if_ours(way, "≤ 20 MB")))
    return rows


def wake() -> list[Figure]:
    """Return how long it takes to wake, beside reading and checking the same file."""
    got = _reading("wake")
    ours, plain = got["wake_ms"], got["read_ms"]
    ratio = statistics.median(ours) / statistics.median(plain)
    return [
        Figure("256 MB model: wake", "ms", ours),
        Figure("numpy.fromfile and zlib.crc32 of the same file", "ms", plain),
        Figure(
            "wake over reading, median over median",
            "times",
            [ratio],
            "≤ 1.5",
        ),
    ]


def budget() -> list[Figure]:
    """Return by how much the process's peak exceeds the budget."""
    rows = []
    for kind, what in (("files", "of a file"), ("graphs", "written when parked")):
        readings = [_reading("budget", kind)["over_mb"] / BUDGET_MB * 100 for _ in range(2)]
        rows.append(Figure(f"20 models of 100 MB {what} in 500 MB, twice: peak over budget", "%", readings, "≤ 10 %"))
    return rows


def cycles() -> list[Figure]:
    """Return what 2,000 models that have come and gone leave behind."""
    rows = []
    for way in ("tfmagic", "stock"):
        got = _reading("cycles", way)
        for key, unit, limit in (("memory", "MB", "< 5 MB"), ("threads", "", "0"), ("files", "", "0")):
            what = f"2,000 small models added, run, dropped, {way}: {key}"
            rows.append(Figure(what, unit, [got[key]], _if_ours(way, limit)))
        rows.append(Figure(f"one such cycle, {way}", "ms", got["cycle_ms"]))
    return rows


CASES: dict[str, Callable[[], list[Figure]]] = {
    "dropped": dropped,
    "policy": policy,
    "saved_model": saved_model,
    "frozen": frozen,
    "keras_files": keras_files,
    "trained": trained,
    "wake": wake,
    "budget": budget,
    "cycles": cycles,
}


def figures(case: str) -> list[Figure]:
    """Return the figures of one case."""
    return CASES[case]()


def _over_weights(case: str, what: str, peer: str, limit: str) -> list[Figure]:
    rows = []
    with _file(case) as path:
        for way, called in (("tfmagic", "tfmagic"), ("stock", peer)):
            readings = [_reading(case, way, path)["times"] for _ in range(ROUNDS)]
            rows.append(Figure(f"{what}, {called}: memory over weights", "times", readings, _if_ours(way, limit)))
    return rows


@contextmanager
def _file(case: str) -> Iterator[str]:
    """Have a file that a case's ways load, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/{'model.keras' if case == 'keras_files' else 'model.pb'}"
        # In a process of its own: what making it takes is not to be counted.
        printed_by("benchmarks.memory_ways", "write", case, path)
        yield path


def _reading(*arguments: str) -> dict[str, Any]:
    got: dict[str, Any] = json.loads(printed_by("benchmarks.memory_ways", *arguments).splitlines()[-1])
    return got


def _if_ours(way: str, limit: str) -> str:
    return limit if way == "tfmagic" else ""
