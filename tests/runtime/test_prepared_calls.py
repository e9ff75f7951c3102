"""Calls that were prepared: the most recent few are kept, and what they hold is counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic import models, session
from tfmagic.runtime.hosted import hosted

if TYPE_CHECKING:
    from tfmagic.model.model import Model

v1 = tf.compat.v1
X = np.ones((1, 980), np.float32)
CONSTANT_BYTES = 980 * 980 * 4


def net(ends: int, *, side: int = 980) -> Model:
    """Add a graph with a large constant, which each of its ends needs."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, side], "x")
        w = tf.constant(np.eye(side, dtype=np.float32))
        product = x @ w
        for index in range(ends):
            tf.add(product, float(index), name=f"y{index}")
    return models.add("net", graph, outputs="y0")


def called(model: Model, index: int, x: Any = X) -> Any:
    return model.run({"x": x}, fetch=[f"y{index}:0"])[f"y{index}:0"]


def kept(model: Model) -> int:
    opened = hosted(model.graph).opened
    assert opened is not None
    return len(opened.calls)


def test_of_many_fetches_the_most_recent_few_stay_prepared() -> None:
    model = net(60)
    for index in range(60):
        assert called(model, index)[0, 0] == 1 + index
    held_bytes = model.record()["held_bytes"]
    assert 4 <= kept(model) <= 6
    assert held_bytes < 60e6
    # The first of them are prepared again, and the last are still there.
    before = kept(model)
    assert called(model, 59)[0, 0] == 60
    assert kept(model) == before
    assert called(model, 0)[0, 0] == 1


def test_small_calls_are_kept_longer_and_those_in_use_longest() -> None:
    model = net(60, side=4)
    x = np.ones((1, 4), np.float32)
    for index in range(60):
        called(model, 0, x)
        called(model, index, x)
    opened = hosted(model.graph).opened
    assert opened is not None
    assert len(opened.calls) == 32
    assert ("y0:0",) in {call.fetches for call in opened.calls}
    assert ("y1:0",) not in {call.fetches for call in opened.calls}


def test_what_prepared_calls_hold_is_in_the_models_figure() -> None:
    model = net(2)
    before = model.record()["held_bytes"]
    called(model, 0)
    called(model, 1)
    assert model.record()["held_bytes"] - before >= 4 * CONSTANT_BYTES
    assert model.bytes_held("memory", set()) == model.record()["held_bytes"]
    model.park()
    assert model.record()["held_bytes"] == 0


def test_threads_that_call_with_many_fetches_each_get_their_answers() -> None:
    model = net(60)
    wrong: list[tuple[int, Any]] = []

    def ask(first: int) -> None:
        for index in (*range(first, 60), *range(first)):
            got = called(model, index)[0, 0]
            if got != 1 + index:
                wrong.append((index, got))

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert session.open_graphs() == [model.graph]
