"""What each node of a graph costs, from a thousand to a hundred thousand: adding the graph, and its first run.

Each reading is of a process of its own, which has added and run a small graph before.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.graph_shapes import SHAPES, shaped
from benchmarks.processes import printed_by

CASES = tuple(SHAPES)
COUNTS = (1_000, 10_000, 100_000)
READINGS = {1_000: 3, 10_000: 3, 100_000: 1}
_STACK_BYTES = 1 << 30
SHARE = 1.5
WAYS = ("tfmagic", "by hand")
STEPS = ("added", "run for the first time")


def figures(shape: str) -> list[Figure]:
    """Return the figures of one shape; ours and the peer's take turns."""
    found: list[Figure] = []
    medians: dict[tuple[str, str], float] = {}
    for count in COUNTS:
        readings: dict[tuple[str, str], list[float]] = {(way, step): [] for step in STEPS for way in reversed(WAYS)}
        for _ in range(READINGS[count]):
            for way in WAYS:
                printed = printed_by("benchmarks.graph_size", way, shape, str(count)).splitlines()[-1]
                for step, taken_s in zip(STEPS, json.loads(printed), strict=True):
                    readings[way, step].append(taken_s / count * 1e6)
        for (way, step), times in readings.items():
            before = medians.get((way, step), 0.0)
            medians[way, step] = statistics.median(times)
            target = ""
            if way == "tfmagic" and count == COUNTS[-1]:
                # TensorFlow's own time for the first run of a large graph grows faster than the graph.
                least = before if step == "added" else max(before, medians["by hand", step])
                target = f"≤ {SHARE * least:.3g} µs"
            found.append(Figure(f"{shape}, {count:,} nodes, {way}: {step}", "µs a node", times, target))
    return found


def _by_tfmagic(path: Path, feeds: dict[str, Any], _: list[str]) -> tuple[float, float]:
    from tfmagic import models

    began_s = time.perf_counter()
    model = models.add(path.stem, path)
    added_s = time.perf_counter()
    model(feeds)
    return added_s - began_s, time.perf_counter() - added_s


def _by_hand(path: Path, feeds: dict[str, Any], fetches: list[str]) -> tuple[float, float]:
    import tensorflow as tf

    began_s = time.perf_counter()
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")
    session = tf.compat.v1.Session(graph=graph)
    added_s = time.perf_counter()
    # On the usual stack, TensorFlow's first run of 60,000 operations in a row ends the process.
    threading.stack_size(_STACK_BYTES)
    run = threading.Thread(target=session.run, args=(fetches, {f"{name}:0": value for name, value in feeds.items()}))
    run.start()
    run.join()
    return added_s - began_s, time.perf_counter() - added_s


def _ends(definition: Any) -> list[str]:
    """Return the tensors that nothing consumes: the peer is told them."""
    nodes = definition.node
    consumed = {edge.partition(":")[0] for node in nodes for edge in node.input}
    return [f"{node.name}:0" for node in nodes if node.op not in {"NoOp", "Placeholder"} and node.name not in consumed]


def _taken_s(way: str, shape: str, count: int, folder: Path) -> tuple[float, float]:
    """Return how long it takes to add a graph in a file, and to run it for the first time."""
    definition, feeds = shaped(shape, count)
    path = folder / f"of_{count}.pb"
    path.write_bytes(definition.SerializeToString())
    timed = _by_tfmagic if way == "tfmagic" else _by_hand
    return timed(path, dict(feeds), _ends(definition))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        _taken_s(sys.argv[1], sys.argv[2], 8, Path(made))
        print(json.dumps(_taken_s(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(made))))
