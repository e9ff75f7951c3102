"""``Model.stop``: from a program, a run of another thread is waited for or cancelled."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import models, session
from tfmagic.core.events import events
from tfmagic.errors import ModelStateError, SourceError, StoppedError
from tfmagic.model.reset import reset
from tfmagic.model.unsaved import is_unsaved
from tfmagic.runtime.session.hosted_graph import hosted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tfmagic.core.events import EventRecord

pytestmark = pytest.mark.slow

v1 = tf.compat.v1

STUCK = """
    x = tf.compat.v1.placeholder(tf.float32, [], name="x")
    w = tf.compat.v1.get_variable("w", initializer=2.0)
    y = x * w
    stuck = tf.compat.v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="stuck")
    slow = tf.compat.v1.py_func(hold, [x], tf.float32)
"""


class Called:
    """A call in a thread of its own, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.came: Any = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.came = self._call()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.came = error

    def ended(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive(), "it goes on"
        return self.came


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.001)


def stuck(**names: Any) -> Any:
    return add_cell("net", STUCK, {"tf": tf, "hold": lambda value: value, **names}, inputs="x", outputs="y").model


def test_a_model_that_does_nothing_has_nothing_to_stop() -> None:
    model = stuck()
    assert model.stop()["outcome"] == "idle"
    assert model.stop(now=True)["outcome"] == "idle"
    lazy = models.add("lazy", tf.function(lambda x: x), lazy=True)
    assert lazy.stop()["outcome"] == "idle"
    assert lazy.state == "parked"
    models.drop("net")
    with pytest.raises(ModelStateError, match="model 'net' was dropped"):
        model.stop()


def test_stop_waits_for_the_runs_that_are_under_way_and_for_no_later_ones() -> None:
    go, inside = threading.Event(), threading.Event()

    def hold(value: Any) -> Any:
        inside.set()
        go.wait(20)
        return value

    model = stuck(hold=hold)
    run = Called(lambda: model.run(x=1.0, fetch="slow"))
    assert inside.wait(20)
    stop = Called(model.stop)
    time.sleep(0.1)
    assert stop.came is None
    busy = threading.Event()

    def later() -> None:
        while not busy.is_set():
            model(1.0)

    others = [Called(later) for _ in range(2)]
    go.set()
    assert run.ended().slow == 1.0
    assert stop.ended()["outcome"] == "ended"
    busy.set()
    for other in others:
        other.ended()


@pytest.mark.parametrize("how", ["call", "run", "cell"])
def test_stop_now_cancels_and_keeps_the_variables(how: str) -> None:
    model = stuck()
    run_cell(model, "w.load(5.0, session)")
    calls: dict[str, Callable[[], Any]] = {
        "call": lambda: model.run(x=1.0, fetch="stuck"),
        "run": lambda: session.run(model.names["stuck"]),
        "cell": lambda: run_cell(model, "session.run(stuck)"),
    }
    called = Called(calls[how])
    until(lambda: len(hosted(model.graph).runs) > 0)
    time.sleep(0.1)
    record = model.stop(now=True)
    assert (record["outcome"], record["variables"]) == ("cancelled", 1)
    assert isinstance(called.ended(), StoppedError)
    assert str(called.came) == "model 'net' was stopped while this ran (stop --now): run it again"
    assert model.state == "ready"
    assert float(model(2.0)) == 10.0
    assert models.records()[0]["last_error"] is None


def test_runs_that_come_while_it_is_cancelled_wait_and_find_the_same_variables() -> None:
    model = stuck()
    run_cell(model, "w.load(5.0, session)")
    for _ in range(20):
        called = Called(lambda: model.run(x=1.0, fetch="stuck"))
        until(lambda: len(hosted(model.graph).runs) > 0)
        answers = [Called(lambda: model(2.0)) for _ in range(4)]
        model.stop(now=True)
        for answer in answers:
            # One that was under way at that moment is cancelled like the other.
            assert isinstance(answer.ended(), StoppedError) or float(answer.came) == 10.0
        assert isinstance(called.ended(), StoppedError)
        assert float(model(2.0)) == 10.0


class Plain(tf.Module):
    def __init__(self) -> None:
        self.w = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.w * tf.cast(x, tf.float32)}


class Tabled(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [10.0]), 0.0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.w + self.table.lookup(x)}


def stuck_without_its_source(module: Any, folder: Path) -> tuple[Any, Called]:
    """Return a model with other weights than its file, which has gone, in the middle of a run that never ends."""
    tf.saved_model.save(module, str(folder), {"serving_default": module.__call__})
    model = models.add("net", folder)
    run_cell(model, "q = tf.compat.v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue()", {"tf": tf})
    backend = model.lifecycle.built_backend()
    backend.assign([(name, np.array([7.0, 8.0], np.float32)) for name, _ in backend.values()])
    folder.rename(folder.with_name("away"))
    called = Called(partial(session.run, model.names["q"]))
    until(hosted(model.graph).runs.under_way.__len__)
    time.sleep(0.1)
    return model, called


def said_since(before: list[EventRecord]) -> list[str]:
    # The log keeps the last thousand events, so its length says nothing about what is new.
    known = {id(event) for event in before}
    return [event["kind"] for event in events().records() if id(event) not in known]


@pytest.mark.parametrize("touch", ["touched", "gone"])
def test_stop_now_tells_of_no_parking_that_did_not_happen(touch: str, tmp_path: Path) -> None:
    model, called = stuck_without_its_source(Plain(), tmp_path / "net")
    if touch == "touched":
        (tmp_path / "away").rename(tmp_path / "net")
        (tmp_path / "net" / "saved_model.pb").touch()
    before, notes = events().records(), model.notes
    assert model.stop(now=True)["outcome"] == "cancelled"
    assert isinstance(called.ended(), StoppedError)
    assert said_since(before) == []
    assert model.notes == notes
    np.testing.assert_array_equal(model(1), [7.0, 8.0])
    assert said_since(before) == []


def test_a_model_is_never_listed_as_parked_while_it_is_stopped() -> None:
    model = stuck()
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(model.state)

    looking = Called(look)
    for _ in range(10):
        called = Called(lambda: model.run(x=1.0, fetch="stuck"))
        until(lambda: len(hosted(model.graph).runs) > 0)
        model.stop(now=True)
        assert isinstance(called.ended(), StoppedError)
    over.set()
    looking.ended()
    assert "parked" not in seen


def test_weights_that_wait_for_a_source_that_has_gone_are_not_called_parked_and_can_be(tmp_path: Path) -> None:
    model, called = stuck_without_its_source(Tabled(), tmp_path / "net")
    before = events().records()
    with pytest.raises(SourceError):
        model.stop(now=True)
    assert isinstance(called.ended(), StoppedError)
    assert model.state == "ready"
    assert is_unsaved(model)
    with pytest.raises(SourceError):
        model.park()
    (tmp_path / "away").rename(tmp_path / "net")
    assert said_since(before) == []
    assert model.park()["outcome"] == "parked"
    assert said_since(before) == ["parked"]
    np.testing.assert_array_equal(model(1), [17.0, 18.0])
    assert said_since(before) == ["parked", "woken"]


@pytest.mark.parametrize("after", ["drop", "reset", "close"])
def test_what_comes_after_a_stop_tells_only_what_happens(after: str) -> None:
    model = stuck()
    called = Called(lambda: model.run(x=1.0, fetch="stuck"))
    until(lambda: len(hosted(model.graph).runs) > 0)
    model.stop(now=True)
    assert isinstance(called.ended(), StoppedError)
    before = events().records()
    if after == "close":
        session.close()
        model(1.0)
    else:
        {"drop": lambda: models.drop("net"), "reset": lambda: reset(models)}[after]()
    assert said_since(before) == ([] if after == "close" else ["dropped"])


def test_variables_are_put_back_also_when_the_source_has_gone(tmp_path: Path) -> None:
    model, called = stuck_without_its_source(Plain(), tmp_path / "net")
    assert model.stop(now=True)["outcome"] == "cancelled"
    assert isinstance(called.ended(), StoppedError)
    np.testing.assert_array_equal(model(2), [14.0, 16.0])


def test_variables_wait_for_tables_that_have_to_come_from_a_source_that_has_gone(tmp_path: Path) -> None:
    model, called = stuck_without_its_source(Tabled(), tmp_path / "net")
    with pytest.raises(SourceError):
        model.stop(now=True)
    assert isinstance(called.ended(), StoppedError)
    with pytest.raises(SourceError):
        model(1)
    (tmp_path / "away").rename(tmp_path / "net")
    np.testing.assert_array_equal(model(1), [17.0, 18.0])


def test_a_cell_is_ended_and_its_room_goes_to_the_next() -> None:
    model = stuck()
    inside = threading.Event()
    busy = Called(lambda: run_cell(model, "inside.set()\nwhile True: session.run(y, {x: 1.0})", {"inside": inside}))
    assert inside.wait(20)
    assert model.state == "running"
    waiting = Called(lambda: run_cell(model, "1 + 1"))
    assert model.stop(now=True)["outcome"] == "cancelled"
    assert isinstance(busy.ended(), StoppedError)
    assert waiting.ended() == 2
    assert model.state == "ready"


def test_a_cell_that_is_stopped_from_within_is_left_alone() -> None:
    model = stuck()
    assert run_cell(model, "this.stop()['outcome'], this.stop(now=True)['outcome'], 3") == ("idle", "idle", 3)


def test_an_eager_call_is_ended_between_two_operations_and_keeps_its_weights() -> None:
    class Counting(tf.Module):
        def __init__(self) -> None:
            self.steps = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            while x > 0.0:
                self.steps.assign_add(1.0)
            return x

    module = Counting()
    model = models.add("net", module)
    called = Called(lambda: model(1.0))
    until(lambda: float(module.steps) > 0)
    record = model.stop(now=True)
    assert (record["outcome"], record["mode"]) == ("cancelled", "eager")
    assert isinstance(called.ended(), StoppedError)
    assert models.records()[0]["last_error"] is None
    assert float(model(0.0)) == 0.0
    assert float(module.steps) > 0


def test_python_in_an_eager_call_is_ended_and_another_call_is_not() -> None:
    inside = threading.Event()

    class Looping(tf.Module):
        def __call__(self, x: Any) -> Any:
            inside.set()
            while float(x) > 0.0:
                time.sleep(0.001)
            return x

    model = models.add("net", Looping())
    other = models.add("other", Looping())
    called, left = Called(lambda: model(1.0)), Called(lambda: other(1.0))
    until(lambda: model.state == other.state == "running")
    assert model.stop(now=True)["outcome"] == "cancelled"
    assert isinstance(called.ended(), StoppedError)
    time.sleep(0.1)
    assert left.came is None
    models.drop("net")
    other.stop(now=True)
    assert isinstance(left.ended(), StoppedError)
