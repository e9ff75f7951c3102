"""Calls that were prepared: the most recent few are kept, and what they hold is counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import RunTimeoutError
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.session.hosted_graph import hosted

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
    assert model.parking.bytes_held("memory", set()) == model.record()["held_bytes"]
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


def by_deadline(model: Model, index: int) -> Any:
    return model.run({"x": X}, fetch=[f"y{index}:0"], timeout=600)[f"y{index}:0"]


def by_trace(model: Model, index: int) -> Any:
    return model.run({"x": X}, fetch=[f"y{index}:0"], trace=True)[f"y{index}:0"]


def by_session(model: Model, index: int) -> Any:
    del model  # its graph is the default one
    return session.run(f"y{index}:0", {"x:0": X})


@pytest.mark.parametrize("ask", [by_deadline, by_trace, by_session])
def test_other_ways_to_run_keep_the_most_recent_few_too_and_are_counted(ask: Any) -> None:
    model = net(40)
    with model.graph.as_default():
        before_bytes, before_rss = model.record()["held_bytes"], rss_bytes()
        for index in range(40):
            assert ask(model, index)[0, 0] == 1 + index
        held_bytes = model.record()["held_bytes"] - before_bytes
        assert 4 * 2 * CONSTANT_BYTES <= held_bytes < 60e6
        # Without a bound they take 300 MB.
        assert rss_bytes() - before_rss < 150e6
        assert ask(model, 0)[0, 0] == 1
        assert ask(model, 39)[0, 0] == 40
    model.park()
    assert model.record()["held_bytes"] == 0


def test_a_trace_tells_where_operations_are_also_where_nothing_stays_prepared() -> None:
    model = net(20)
    for index in range(20):
        by_trace(model, index)
        assert model.trace is not None
        assert any(one.name == f"y{index}" for one in model.trace.executions)
        assert model.caller.placement is not None
        found = model.caller.placement.record("net", None)
        assert [one["actual"] for one in found["operations"] if one["name"] == f"y{index}"] == ["CPU:0"]


def test_a_deadline_holds_also_where_nothing_stays_prepared() -> None:
    model = net(20)
    with model.graph.as_default():
        stuck = v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="stuck")
        for index in range(20):
            tf.add(stuck, float(index), name=f"stuck{index}")
    for index in range(12):
        by_deadline(model, index)
    for index in range(3):
        with pytest.raises(RunTimeoutError):
            model.run({"x": X}, fetch=[f"stuck{index}:0"], timeout=0.2)
        # On a busy machine the native run ends a moment after its deadline.
        model.stop()
    assert by_deadline(model, 1)[0, 0] == 2


def test_a_training_step_stays_prepared_between_many_other_runs() -> None:
    with tf.Graph().as_default() as graph:
        v = v1.get_variable("v", initializer=0.0)
        step = v.assign_add(1.0, read_value=False)
        others = [v + float(index) for index in range(100)]
        session.run(v.initializer)
        for index in range(100):
            session.run(step)
            assert session.run(others[index]) == 1.0 + 2 * index
        opened = hosted(graph).opened
        assert opened is not None
        assert len(opened.native._calls) == 32
        assert any(step.name in targets for _, _, targets in opened.native._calls)
