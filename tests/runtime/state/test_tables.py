"""What a run has written to a table stays where variables stay."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import models
from tfmagic.concurrency.deferral import InterruptTarget

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1

TABLE = """
    x = v1.placeholder(tf.string, [None], name="x")
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    go = tf.queue.FIFOQueue(1, [tf.float32], shapes=[[]], name="go").dequeue(name="stuck")
    number = tf.identity(table.lookup(x), name="number")
"""
NAMES = {"tf": tf, "v1": v1}
FILL = "session.run(table.insert(tf.constant(['a', 'b']), tf.constant([1, 2], tf.int64)))"


def add_table() -> Any:
    return add_cell("net", TABLE, NAMES, outputs="number")


def test_stopping_now_keeps_the_entries_of_tables() -> None:
    model = add_table().model
    run_cell(model, FILL, NAMES)

    def wait() -> None:
        with pytest.raises(Exception, match=r"stopped|cancel|closed"):
            model.run(fetch="stuck")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    while model.state != "running":
        time.sleep(0.01)
    assert model.stop(now=True)["outcome"] == "cancelled"
    thread.join(30)
    assert model(np.array(["a", "b", "c"], object)).tolist() == [1, 2, -1]


def test_entries_of_tables_count_as_learnt_when_a_cell_is_run_again() -> None:
    run_cell(add_table().model, FILL, NAMES)
    assert add_table().previous == {"name": "net~1", "carried": 0}
    assert models["net"](np.array(["a"], object)).tolist() == [-1]
    assert models["net~1"](np.array(["a", "b"], object)).tolist() == [1, 2]


def test_reopening_the_session_adds_nothing_to_a_graph() -> None:
    from tfmagic import session

    graph = tf.Graph()
    with graph.as_default():
        weight = v1.get_variable("w", initializer=2.0)
        tf.multiply(v1.placeholder(tf.float32, [None], "x"), weight, name="y")
    model = models.add("m", graph)
    model([1.0])
    count = len(graph.get_operations())
    for _ in range(3):
        session.close()
        model([1.0])
    assert len(graph.get_operations()) == count


def test_a_thread_inside_a_function_of_tensorflow_is_not_interrupted_there() -> None:
    go, inside = threading.Event(), threading.Event()
    reaches: list[InterruptTarget] = []

    def hold(x: Any) -> Any:
        inside.set()
        go.wait(30)
        return x

    function = tf.function(lambda x: tf.numpy_function(hold, [x], tf.float32))
    ended: list[Any] = []

    def work() -> None:
        target = InterruptTarget()
        reaches.append(target)
        call: Callable[[], Any] = lambda: function(tf.constant(1.0))  # noqa: E731 - one expression
        ended.append(target.run(call))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    inside.wait(30)
    reaches[0].interrupt()
    go.set()
    thread.join(30)
    assert float(ended[0]) == 1.0
