"""What it takes to load each kind of file, and to have the first answer from it: time and peak memory.

Each reading is of a process of its own, which has imported TensorFlow, Keras and tfmagic and
run one small graph and one operation, so that what happens once a process is over.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Figure
from benchmarks.networks import NETWORKS, WRITTEN
from benchmarks.processes import forget_peak, memory_mb, printed_by

if TYPE_CHECKING:
    from collections.abc import Callable

READINGS = 5
KINDS = {
    "SavedModel 1": ("{}_v1", "tf.saved_model.load"),
    "SavedModel 2": ("{}_v2", "tf.saved_model.load"),
    "frozen graph": ("{}.pb", "import_graph_def"),
    ".keras": ("{}.keras", "keras load_model"),
    ".h5": ("{}.h5", "keras load_model"),
}


def figures() -> list[Figure]:
    """Return the figures; ours and its peer's take turns."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        printed_by("benchmarks.networks", folder)
        for network in WRITTEN:
            weights_mb = (Path(folder) / f"{network}.pb").stat().st_size / 1e6
            for kind, (file, peer) in KINDS.items():
                path = str(Path(folder) / file.format(network))
                ways = {"tfmagic": [], peer: []}  # type: dict[str, list[dict[str, float]]]
                for _ in range(READINGS):
                    for way, readings in ways.items():
                        readings.append(
                            json.loads(printed_by("benchmarks.sources", way, path, network).splitlines()[-1])
                        )
                found += _rows(f"{network} {kind}", ways, peer, weights_mb)
    return found


def _rows(what: str, ways: dict[str, list[dict[str, float]]], peer: str, weights_mb: float) -> list[Figure]:
    best = {key: statistics.median(one[key] for one in ways[peer]) for key in ("answered_s", "peak_mb")}
    rows = []
    for way, readings in ways.items():
        ours = way == "tfmagic"
        limit = min(best["peak_mb"], 1.5 * weights_mb) if ".keras" in what and "large" in what else best["peak_mb"]
        rows += [
            Figure(f"{what}, {way}: loaded", "s", [one["loaded_s"] for one in readings]),
            Figure(
                f"{what}, {way}: loaded and answered",
                "s",
                [one["answered_s"] for one in readings],
                f"≤ {best['answered_s']:.3g} s" if ours else "",
            ),
            Figure(
                f"{what}, {way}: peak memory of loading ({weights_mb:.0f} MB of weights)",
                "MB",
                [one["peak_mb"] for one in readings],
                f"≤ {limit:.0f} MB" if ours else "",
            ),
        ]
    return rows


def _by_tfmagic(path: str) -> Callable[[Any], Any]:
    from tfmagic import models

    return models.add("loaded", path)


def _by_saved_model_load(path: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]

    def answer(x: Any) -> Any:
        # The functions are alive for as long as the object that was loaded is.
        assert loaded is not None  # noqa: S101
        return next(iter(signature(**{name: tf.constant(x)}).values())).numpy()

    return answer


def _by_import(path: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(Path(path).read_bytes()), name="")
    placeholder = next(op for op in graph.get_operations() if op.type == "Placeholder")
    last = graph.get_operations()[-1]
    session = tf.compat.v1.Session(graph=graph)
    return lambda x: session.run(last.outputs[0], {placeholder.outputs[0]: x})


def _by_keras(path: str) -> Callable[[Any], Any]:
    import keras

    model = keras.models.load_model(path, compile=False)
    return lambda x: model(x, training=False).numpy()


WAYS = {
    "tfmagic": _by_tfmagic,
    "tf.saved_model.load": _by_saved_model_load,
    "import_graph_def": _by_import,
    "keras load_model": _by_keras,
}


def main(way: str, path: str, shape: tuple[int, ...]) -> None:
    """Load one file in one way, and print what that took."""
    import keras
    import tensorflow as tf

    from tfmagic import models

    x = np.random.default_rng(0).random((2, *shape), np.float32)
    with tf.Graph().as_default() as graph:
        tf.multiply(tf.compat.v1.placeholder(tf.float32, [None], "x"), 2.0, name="y")
    # Modules of tfmagic's own are imported when they are first needed; TensorFlow's have been.
    models.add("small", graph)
    models.small(np.ones(1, np.float32))
    models.drop("small")
    keras.ops.multiply(x, 2.0)
    forget_peak()
    before_mb, began = memory_mb("VmRSS"), time.perf_counter()
    answer = WAYS[way](path)
    loaded_s, peak_mb = time.perf_counter() - began, memory_mb("VmHWM") - before_mb
    y = answer(x)
    answered_s = time.perf_counter() - began
    print(json.dumps({"loaded_s": loaded_s, "answered_s": answered_s, "peak_mb": peak_mb, "sum": float(y[0, 0])}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], NETWORKS[sys.argv[3]])
