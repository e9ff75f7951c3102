"""What `benchmarks.panel` measures: in a kernel with its panel open, or in a script of its own."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.further_model import FROZEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.panel.channel.widget import Panel

BESIDE = 10
"""Models that are there while one is trained."""

# After a switch, for longer than the sampler sleeps while somebody watches: its last look is over by then.
SETTLE_S = 1.2
SNAPSHOTS = 200
RNG = np.random.default_rng(0)
X, Y = RNG.random((2048, 64), np.float32), RNG.integers(0, 10, 2048)


def fit() -> Callable[[int], Any]:
    """Return what trains a Keras network for so many epochs."""
    import keras

    from tfmagic import models

    layers = [keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    net = keras.Sequential([keras.Input([64]), *layers])
    net.compile("adam", "sparse_categorical_crossentropy")
    models.add("trained", net)
    return lambda epochs: net.fit(X, Y, epochs=epochs, verbose=0)


def loop() -> Callable[[int], Any]:
    """Return what trains a TF1 graph for so many epochs, a ``session.run`` each batch."""
    import tensorflow as tf

    from tfmagic import models, session

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        x, labels = v1.placeholder(tf.float32, [None, 64], "x"), v1.placeholder(tf.int64, [None], "labels")
        hidden = tf.nn.relu(tf.matmul(x, v1.get_variable("hidden", [64, 128])))
        logits = tf.matmul(hidden, v1.get_variable("logits", [128, 10]))
        loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
        step = v1.train.AdamOptimizer().minimize(loss)
    models.add("trained", graph, inputs={"x": "x:0"}, outputs={"logits": logits.name})

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for at in range(0, len(X), 32):
                session.run([loss, step], {x: X[at : at + 32], labels: Y[at : at + 32]})

    return train


def in_turns(panel: Panel, way: str, pairs: int, chunk_s: float) -> None:
    """Train in chunks of equal work, the panel watched in every other one; print what time each chunk took.

    Parameters
    ----------
    panel
        A panel that is shown.
    way
        ``"fit"`` or ``"loop"``.
    pairs
        How many chunks with, and as many without.
    chunk_s
        About how long a chunk takes.
    """
    from tfmagic import models
    from tfmagic.panel.snapshot.sampler import sampler

    # What the messages of a page that is looked at come to.
    page = panel._subscribers  # noqa: SLF001 - nobody but a page has them come
    for at in range(BESIDE):
        models.add(f"beside_{at}", FROZEN)(X[:1])
    train = {"fit": fit, "loop": loop}[way]()
    train(3)
    epochs = max(1, round(chunk_s / min(_taken(train, 3)["wall_s"] / 3 for _ in range(3))))
    taken: dict[str, list[dict[str, float]]] = {"open": [], "closed": []}
    look_s = []
    for pair in range(pairs):
        for state in list(taken)[:: 1 if pair % 2 else -1]:
            if state == "open":
                page.subscribe("benchmark")
            else:
                page.unsubscribe()
            time.sleep(SETTLE_S)
            taken[state].append(_taken(train, epochs))
            if state == "open":
                look_s.append(sampler().record()["tick_s"])
    page.unsubscribe()
    print(json.dumps({**taken, "look": look_s, "epochs": epochs}))


def _taken(train: Callable[[int], Any], epochs: int) -> dict[str, float]:
    began_s, processor_s = time.perf_counter(), time.process_time()
    train(epochs)
    return {"wall_s": time.perf_counter() - began_s, "processor_s": time.process_time() - processor_s}


def busy(panel: Panel, way: str, seconds: float) -> None:
    """Be busy for so long, the panel watched.

    Parameters
    ----------
    panel
        A panel that is shown.
    way
        ``"python"``, ``"native"`` or ``"fit"``.
    seconds
        How long.
    """
    until = time.monotonic() + seconds
    page = panel._subscribers  # noqa: SLF001 - nobody but a page has them come
    page.subscribe("benchmark")
    if way == "native":
        _native(seconds)
    train = fit() if way == "fit" else None
    while time.monotonic() < until:
        if train is not None:
            train(1)
    page.unsubscribe()


def _native(seconds: float) -> None:
    import tensorflow as tf

    from tfmagic import session

    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        start = tf.random.normal([1500, 1500])
        run = v1.while_loop(lambda i, _: i < 10**9, lambda i, m: (i + 1, tf.matmul(m, m) / 1e3), [0, start])
    with contextlib.suppress(tf.errors.DeadlineExceededError):
        session.run(run, options=v1.RunOptions(timeout_in_ms=round(seconds * 1000)))


def snapshots(count: int) -> None:
    """Print how long snapshots of so many models take: nothing has changed, or every model has run since the last."""
    import tensorflow as tf

    from tfmagic import models, snapshot

    v1 = tf.compat.v1
    made = []
    for at in range(count):
        graph = tf.Graph()
        with graph.as_default():
            x = v1.placeholder(tf.float32, [None, 4], "x")
            tf.matmul(x, v1.get_variable("w", [4, 4]), name="y")
        made.append(models.add(f"m{at}", graph))
    still, changed = [], []
    for _ in range(5):
        for model in made:
            model(np.zeros((1, 4), np.float32))
        changed.append(_snapshot_ms(snapshot))
        still += [_snapshot_ms(snapshot) for _ in range(SNAPSHOTS // 5)]
    print(json.dumps({"still": still, "changed": changed}))


def _snapshot_ms(snapshot: Callable[[], Any]) -> float:
    began = time.perf_counter()
    snapshot()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    snapshots(int(sys.argv[1]))
