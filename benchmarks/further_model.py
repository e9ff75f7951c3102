"""What a further small model costs in a process that has one: time, memory, objects, threads."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.figures import Figure
from benchmarks.loader import objects_ever_loaded

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).resolve().parent.parent / "examples" / "models"
FROZEN = MODELS / "digits_2019.pb"
SAVED = MODELS / "digits" / "1"
BATCH = np.zeros((1, 64), np.float32)
ROUNDS = 30
WARM = 3


def by_tfmagic(path: Path) -> Callable[[int], Any]:
    """Return what adds a model with tfmagic and runs it once."""
    from tfmagic import models

    def add(at: int) -> Any:
        model = models.add(f"m_{path.stem}_{at}", path)
        model(BATCH)
        return model

    return add


def frozen_by_hand(_at: int) -> Any:
    """Load the frozen graph with plain TensorFlow, in a graph and session of its own."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        definition = tf.compat.v1.GraphDef.FromString(FROZEN.read_bytes())
        tf.import_graph_def(definition, name="")
    session = tf.compat.v1.Session(graph=graph)
    session.run("probs:0", {"pixels:0": BATCH})
    return session


def saved_by_hand(_at: int) -> Any:
    """Load the SavedModel with TensorFlow's v1 loader, in a graph and session of its own."""
    import tensorflow as tf

    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(SAVED))
    signature = meta.signature_def["serving_default"]
    session.run(signature.outputs["probs"].name, {signature.inputs["pixels"].name: BATCH})
    return session


def saved_by_tf2(_at: int) -> Any:
    """Load the SavedModel as TensorFlow 2 does."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(MODELS / "digits" / "2"))
    loaded.signatures["serving_default"](pixels=tf.constant(BATCH))
    return loaded


def measure(what: str, add: Callable[[int], Any], *, ours: bool) -> list[Figure]:
    """Return time and memory of each further model, and what appeared beside it."""
    process = psutil.Process()
    kept = [add(-1 - at) for at in range(WARM)]
    gc.collect()
    times, grown = [], []
    threads, objects = threading.active_count(), objects_ever_loaded()
    native_threads = process.num_threads()
    before = process.memory_info().rss
    for at in range(ROUNDS):
        began = time.perf_counter()
        kept.append(add(at))
        times.append((time.perf_counter() - began) * 1e3)
    gc.collect()
    grown.append((process.memory_info().rss - before) / ROUNDS / 1e6)
    new_threads = max(threading.active_count() - threads, process.num_threads() - native_threads)
    made = [
        Figure(f"{what}: add and first run", "ms", times, "≤ 30 ms" if ours else ""),
        Figure(f"{what}: memory, mean of {ROUNDS}", "MB", grown, "≤ 0.5 MB" if ours else ""),
    ]
    if ours:
        made.append(Figure(f"{what}: new shared objects", "", [objects_ever_loaded() - objects], "0"))
        made.append(Figure(f"{what}: new threads", "", [new_threads], "0"))
    return made


CASES: dict[str, Callable[[], list[Figure]]] = {
    "frozen graph, tfmagic": lambda: _ours("frozen graph, tfmagic", FROZEN),
    "frozen graph, by hand": lambda: _peers("frozen graph, by hand", frozen_by_hand),
    "SavedModel 1, tfmagic": lambda: _ours("SavedModel 1, tfmagic", SAVED),
    "SavedModel 1, v1 loader by hand": lambda: _peers("SavedModel 1, v1 loader by hand", saved_by_hand),
    "SavedModel 2, tfmagic": lambda: _ours("SavedModel 2, tfmagic", MODELS / "digits" / "2"),
    "SavedModel 2, tf.saved_model.load": lambda: _peers("SavedModel 2, tf.saved_model.load", saved_by_tf2),
}
"""Each in a process of its own: what one leaves free in the heap is not to be another's gain."""


def figures(case: str) -> list[Figure]:
    """Return the figures of one case."""
    return CASES[case]()


def _ours(what: str, path: Path) -> list[Figure]:
    return measure(what, _unnamed(by_tfmagic(path)), ours=True)


def _peers(what: str, add: Callable[[int], Any]) -> list[Figure]:
    return measure(what, add, ours=False)


def _unnamed(add: Callable[[int], Any]) -> Callable[[int], Any]:
    """Give each model a name of its own, whatever number it has."""
    names = iter(range(1_000_000))
    return lambda _at: add(next(names))
