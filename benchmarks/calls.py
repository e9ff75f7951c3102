"""What a call costs, NumPy to NumPy: a registered model beside TensorFlow's own ways."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Figure
from benchmarks.further_model import FROZEN

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
CALLS = 300


def figures() -> list[Figure]:
    """Return the figures; the ways take turns, so that a busy machine slows all alike."""
    import keras
    import tensorflow as tf

    from tfmagic import models

    model = models.add("called", FROZEN)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(FROZEN.read_bytes()), name="")
    session = tf.compat.v1.Session(graph=graph)
    pixels, probs = graph.get_tensor_by_name("pixels:0"), graph.get_tensor_by_name("probs:0")
    made = session.make_callable(probs, feed_list=[pixels])
    live = keras.Sequential([keras.Input([64]), keras.layers.Dense(10, activation="softmax")])
    x = np.random.default_rng(0).random((1, 64), np.float32)
    np.testing.assert_array_equal(model(x), session.run(probs, {pixels: x}))
    ways: dict[str, Callable[[], Any]] = {
        "models[name](x)": lambda: models["called"](x),
        "Session.run by hand": lambda: session.run(probs, {pixels: x}),
        "Session.make_callable by hand": lambda: made(x),
        "keras model(x), the same network": lambda: live(x).numpy(),
    }
    readings: dict[str, list[float]] = {way: [] for way in ways}
    for call in ways.values():
        for _ in range(20):
            call()
    for _ in range(ROUNDS):
        for way, call in ways.items():
            calls = CALLS // 10 if "keras" in way else CALLS
            began = time.perf_counter()
            for _ in range(calls):
                call()
            readings[way].append((time.perf_counter() - began) / calls * 1e6)
    ours, by_hand = readings["models[name](x)"], readings["Session.run by hand"]
    ratios = [mine / theirs for mine, theirs in zip(ours, by_hand, strict=True)]
    models.drop("called")
    return [
        *(Figure(way, "µs", values) for way, values in readings.items()),
        Figure("models[name](x) over Session.run, pair by pair", "times", ratios, "≤ 1"),
    ]
