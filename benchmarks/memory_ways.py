"""What `benchmarks.memory` measures, each in a process of its own: ``python -m benchmarks.memory_ways CASE …``."""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.processes import forget_peak, memory_mb

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 2000
MATRIX_MB = SIDE * SIDE * 4 / 1e6
BUDGET_MB = 500
X = np.linspace(-1, 1, 2 * SIDE, dtype=np.float32).reshape(2, SIDE)


def small_graph_has_run(way: str) -> None:
    """Run a small graph, so that what TensorFlow takes once is taken."""
    if way == "tfmagic":
        from tfmagic import session
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, SIDE], "x")
        y = tf.nn.relu(tf.matmul(x, tf.random.normal([SIDE, 8])))
    if way == "tfmagic":
        session.run(y, {x: X})
    else:
        with tf.compat.v1.Session(graph=graph) as own:
            own.run(y, {x: X})
    gc.collect()


def chain(matrices: int, side: int = SIDE) -> Any:
    """Return a graph of so many matrices, variables with random values."""
    import tensorflow as tf

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        y = v1.placeholder(tf.float32, [None, side], "x")
        for at in range(matrices):
            w = v1.get_variable(
                f"w{at}", [side, side], initializer=v1.random_normal_initializer(stddev=side**-0.5, seed=at)
            )
            y = tf.nn.relu(tf.matmul(y, w))
        tf.identity(y, "y")
    return graph


def network(matrices: int) -> Any:
    """Return a Keras network of so many matrices."""
    import keras

    layers = [keras.layers.Dense(SIDE, activation="relu") for _ in range(matrices)]
    return keras.Sequential([keras.Input([SIDE]), *layers])


# -- files -----------------------------------------------------------------------


def write(case: str, path: str) -> None:
    """Write the file that a case loads."""
    import tensorflow as tf

    v1 = tf.compat.v1
    if case == "saved_model":
        network(12).export(path, verbose=False)
    elif case == "keras_files":
        network(12).save(path)
    elif case == "graph":
        graph = chain(6)
        with v1.Session(graph=graph) as own, graph.as_default():
            own.run(v1.global_variables_initializer())
            ends = [graph.get_tensor_by_name(name) for name in ("x:0", "y:0")]
            v1.saved_model.simple_save(own, path, {"x": ends[0]}, {"y": ends[1]})
    else:
        graph = chain(12)
        with v1.Session(graph=graph) as own, graph.as_default():
            own.run(v1.global_variables_initializer())
            frozen = v1.graph_util.convert_variables_to_constants(own, graph.as_graph_def(), ["y"])
        Path(path).write_bytes(frozen.SerializeToString())


# -- cases -----------------------------------------------------------------------


def dropped(way: str, mode: str) -> dict[str, Any]:
    """Return what share of what a model took goes back when it is dropped."""
    small_graph_has_run(way)
    if mode == "eager":
        # Keras itself, and what its first call takes, stay with whoever uses it.
        import keras

        keras.Sequential([keras.Input([4]), keras.layers.Dense(4)])(np.zeros((1, 4), np.float32))
    before = memory_mb()
    if way == "tfmagic":
        from tfmagic import models

        models.add("big", network(16) if mode == "eager" else chain(16))
        models.big(X)
        held = memory_mb()
        models.drop("big")
    elif mode == "eager":
        model = network(16)
        model(X)
        held = memory_mb()
        del model
    else:
        import tensorflow as tf

        graph = chain(16)
        with tf.compat.v1.Session(graph=graph) as own, graph.as_default():
            own.run(tf.compat.v1.global_variables_initializer())
            own.run("y:0", {"x:0": X})
            held = memory_mb()
        del graph, own
    gc.collect()
    after = memory_mb()
    return {"share_percent": (held - after) / (held - before) * 100, "before": before, "held": held, "after": after}


def policy(chosen: str) -> dict[str, Any]:
    """Return how long a conv net's run takes under a policy."""
    import statistics

    from tfmagic.runtime.memory.policy import memory_policy

    memory_policy().choose(chosen)
    small_graph_has_run("tfmagic")
    import tensorflow as tf

    from tfmagic import models

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        y = v1.placeholder(tf.float32, [None, 96, 96, 3], "images")
        for at, channels in enumerate((32, 32, 32, 64)):
            kernel = v1.get_variable(f"kernel{at}", [3, 3, y.shape[-1], channels])
            y = tf.nn.relu(tf.nn.conv2d(y, kernel, 2 if channels == 64 else 1, "SAME"))
        tf.reduce_mean(y, [1, 2], name="means")
    models.add("net", graph)
    images = np.random.default_rng(0).random((32, 96, 96, 3), np.float32)
    times = []
    for _ in range(18):
        began = time.perf_counter()
        models.net(images)
        times.append((time.perf_counter() - began) * 1e3)
    return {"run_ms": statistics.median(times[3:])}


def saved_model(way: str, path: str) -> dict[str, Any]:
    """Return what a loaded SavedModel takes, over its weights."""
    small_graph_has_run(way)
    import tensorflow as tf

    before = memory_mb()
    if way == "tfmagic":
        from tfmagic import models

        answer = np.asarray(models.add("loaded", path)(X))
    else:
        loaded = tf.saved_model.load(path)
        answer = loaded.serve(tf.constant(X)).numpy()
    gc.collect()
    return {"times": (memory_mb() - before) / (12 * MATRIX_MB), "sum": float(answer.sum())}


def frozen(way: str, path: str) -> dict[str, Any]:
    """Return what a frozen graph takes over its weights after three sets of fetches."""
    small_graph_has_run(way)
    import tensorflow as tf

    fetches = ["y:0", "Relu_3:0", "Relu_7:0"]
    before = memory_mb()
    if way == "tfmagic":
        from tfmagic import models

        model = models.add("loaded", path)
        sums = [float(np.sum(np.asarray(model(X, fetch=fetch)))) for fetch in fetches]
    else:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(Path(path).read_bytes()), name="")
        own = tf.compat.v1.Session(graph=graph)
        sums = [float(own.run(fetch, {"x:0": X}).sum()) for fetch in fetches]
    gc.collect()
    return {"times": (memory_mb() - before) / (12 * MATRIX_MB), "sums": sums}


def keras_files(way: str, path: str) -> dict[str, Any]:
    """Return by how much the process grows when a Keras file comes and goes ten times."""
    small_graph_has_run(way)
    import keras

    keras.Sequential([keras.Input([4]), keras.layers.Dense(4)]).predict(np.zeros((1, 4), np.float32), verbose=0)
    gc.collect()
    before = memory_mb()
    after = []
    for _ in range(10):
        if way == "tfmagic":
            from tfmagic import models

            models.add("loaded", path)(X)
            models.drop("loaded")
        else:
            model = keras.models.load_model(path)
            model.predict(X, verbose=0)
            del model
            keras.utils.clear_session()
            gc.collect()
        after.append(memory_mb())
    return {"grown_mb": after[-1] - before, "each": [one - before for one in after]}


def trained(way: str) -> dict[str, Any]:
    """Return by how much the process grows when live Keras models are compiled, trained and let go of five times."""
    small_graph_has_run(way)
    import keras

    rows = np.ones((4, 2 * SIDE), np.float32)

    def cycle(name: str) -> None:
        model = keras.Sequential([keras.Input([2 * SIDE]), keras.layers.Dense(2 * SIDE)])
        model.compile("adam", "mse")
        model.fit(rows, rows, verbose=0)
        if way == "tfmagic":
            from tfmagic import models

            models.add(name, model)
            models.drop(name)

    after = []
    for at in range(6):
        cycle(f"net{at}")
        keras.utils.clear_session()
        gc.collect()
        after.append(memory_mb())
    return {"grown_mb": after[-1] - after[0]}


def wake() -> dict[str, Any]:
    """Return how long a model takes to wake, and its file to be read and checked."""
    small_graph_has_run("tfmagic")
    import tensorflow as tf

    from tfmagic import models, session
    from tfmagic.runtime.memory.policy import memory_policy
    from tfmagic.runtime.state.spill_directory import park_directory

    graph = chain(16)
    with graph.as_default():
        (first, *_) = tf.compat.v1.global_variables()
        more = first.assign_add(tf.ones_like(first))
    models.add("big", graph)
    session.run(more.op)
    woken: list[float] = []
    read: list[float] = []
    for _ in range(7):
        record = models.big.park()
        assert record["written_bytes"] > 16 * MATRIX_MB * 1e6  # noqa: S101
        (file,) = park_directory().place().parent.glob("*.tfmagic")
        # First, and with what it took given back: both find the model parked, and no free memory.
        began = time.perf_counter()
        zlib.crc32(np.fromfile(file, np.uint8).data)
        read.append((time.perf_counter() - began) * 1e3)
        memory_policy().give_back()
        began = time.perf_counter()
        models.big.wake()
        woken.append((time.perf_counter() - began) * 1e3)
    return {"wake_ms": woken, "read_ms": read}


def budget(kind: str) -> dict[str, Any]:
    """Return by how much the peak exceeds the budget when 20 models take turns."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model"
        if kind == "files":
            from benchmarks.processes import printed_by

            printed_by("benchmarks.memory_ways", "write", "graph", path)
        small_graph_has_run("tfmagic")
        from tfmagic import models

        models.memory_budget = f"{BUDGET_MB}MB"
        forget_peak()
        before = memory_mb()
        peaks = []
        for at in range(40):
            name = f"m{at % 20}"
            if name not in models:
                models.add(name, path if kind == "files" else chain(1, 5000))
            models[name](X if kind == "files" else np.zeros((1, 5000), np.float32))
            peaks.append(memory_mb("VmHWM") - before)
        return {"over_mb": peaks[-1] - BUDGET_MB, "peaks": peaks}


def cycles(way: str) -> dict[str, Any]:
    """Return what is left of 2,000 small models."""
    small_graph_has_run(way)
    import tensorflow as tf

    x = np.zeros((1, 64), np.float32)

    def by_tfmagic() -> None:
        from tfmagic import models

        models.add("small", chain(1, 64))
        models.small(x)
        models.drop("small")

    def by_hand() -> None:
        graph = chain(1, 64)
        with tf.compat.v1.Session(graph=graph) as own, graph.as_default():
            own.run(tf.compat.v1.global_variables_initializer())
            own.run("y:0", {"x:0": x})

    cycle: Callable[[], None] = by_tfmagic if way == "tfmagic" else by_hand
    process = psutil.Process()
    for _ in range(100):
        cycle()
    gc.collect()
    before = memory_mb(), max(threading.active_count(), process.num_threads()), process.num_fds()
    times, grown = [], []
    for at in range(2000):
        began = time.perf_counter()
        cycle()
        times.append((time.perf_counter() - began) * 1e3)
        if at % 200 == 199:
            grown.append(memory_mb() - before[0])
    gc.collect()
    return {
        "memory": memory_mb() - before[0],
        "threads": max(threading.active_count(), process.num_threads()) - before[1],
        "files": process.num_fds() - before[2],
        "cycle_ms": times,
        "grown": grown,
    }


WAYS: dict[str, Callable[..., dict[str, Any] | None]] = {
    one.__name__: one
    for one in (write, dropped, policy, saved_model, frozen, keras_files, trained, wake, budget, cycles)
}

if __name__ == "__main__":
    print(json.dumps(WAYS[sys.argv[1]](*sys.argv[2:])))
