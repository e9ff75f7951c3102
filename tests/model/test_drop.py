"""Dropping a model ends what it does, and frees what it holds."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import models, session
from tfmagic.errors import DropError, ModelStateError, UnknownNameError
from tfmagic.magics.shell.cell_hooks import between_cells
from tfmagic.model.reset import reset
from tfmagic.panel.views.sentences import dropped_text
from tfmagic.runtime.memory.malloc import rss_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

v1 = tf.compat.v1


LINEAR = """
    x = v1.placeholder(tf.float32, [], "x")
    w = v1.get_variable("w", initializer=2.0)
    y = tf.multiply(x, w, name="y")
"""


def linear_cell(name: str) -> Any:
    return add_cell(name, LINEAR, {"tf": tf, "v1": v1}).model


@pytest.fixture
def waiting() -> Iterator[Any]:
    """A model of which one run has begun that never ends by itself."""
    graph = tf.Graph()
    with graph.as_default():
        queue = v1.FIFOQueue(1, [tf.float32])
        out = tf.identity(queue.dequeue(), name="out")
    model = models.add("waiting", graph, outputs="out")
    ended: list[BaseException] = []

    def run() -> None:
        try:
            session.run(out)
        except BaseException as error:  # noqa: BLE001 - a thread's error is looked at below
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while model.state != "running":
        time.sleep(0.001)
    yield model, thread, ended
    session.close()
    thread.join()


def test_a_run_that_never_ends_is_cancelled(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, thread, ended = waiting
    monkeypatch.setattr("tfmagic.model.lifecycle.lifecycle._DRAIN_S", 0.05)
    models.drop("waiting")
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(ended[0], ModelStateError)
    assert model.state == "dropped"
    assert "waiting" not in models


def test_what_a_run_goes_on_with_comes_back_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    began, end = threading.Event(), threading.Event()

    def stuck(value: Any) -> Any:
        began.set()
        end.wait(60)
        return value

    size = 200_000_000
    graph = tf.Graph()
    with graph.as_default():
        weight = v1.get_variable("w", initializer=tf.zeros([size // 4]))
        out = tf.numpy_function(stuck, [tf.reduce_sum(weight)], tf.float32, name="out")
    model = models.add("stuck", graph, outputs="out=out:0")
    session.run(weight.initializer)

    def run() -> None:
        with pytest.raises(ModelStateError):
            session.run(out)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert began.wait(30)
    del model
    monkeypatch.setattr("tfmagic.model.lifecycle.lifecycle._DRAIN_S", 0.05)
    record = models.drop("stuck")
    during = rss_bytes()
    assert record["running"] == ["stuck"]
    said = dropped_text(record)
    assert "given back" not in said
    assert "stuck: its run was told to end and goes on; its memory comes back when that has ended" in said
    end.set()
    thread.join(30)
    between_cells()
    assert rss_bytes() < during - 0.9 * size


@pytest.mark.usefixtures("waiting")
def test_a_run_that_ends_when_it_is_told_to_is_not_said_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmagic.model.lifecycle.lifecycle._DRAIN_S", 0.05)
    record = models.drop("waiting")
    assert record["running"] == []
    assert "goes on" not in dropped_text(record)


def test_a_drop_that_is_interrupted_drops_all_the_same(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, thread, _ = waiting

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    # Only in the wait for its run: an interrupt before that drops nothing.
    waits = SimpleNamespace(sleep=interrupt, monotonic=time.monotonic)
    monkeypatch.setattr("tfmagic.concurrency.runs.time", waits)
    with pytest.raises(KeyboardInterrupt):
        models.drop("waiting")
    monkeypatch.undo()
    thread.join(30)
    assert not thread.is_alive()
    assert model.state == "dropped"


class Moody(tf.Module):
    """A module whose variables cannot be listed any more, once somebody says so."""

    mood = "good"

    @property
    def variables(self) -> Any:
        if self.mood == "raises":
            message = "not today"
            raise LookupError(message)
        return (SimpleNamespace(name="without a dtype"),) if self.mood == "odd" else ()

    @tf.function(input_signature=[tf.TensorSpec([], name="x")])
    def __call__(self, x: Any) -> Any:
        return x


def cell_of_a_moody_module(mood: str) -> Any:
    model = add_cell("moody", "net = Moody()\nnet", {"Moody": Moody}, eager=True).model
    model.live.mood = mood
    return model


@pytest.mark.parametrize("drop", [lambda: models.drop("moody"), lambda: models.drop(all=True), lambda: reset(models)])
def test_a_model_of_which_nothing_can_be_read_is_dropped_like_others(drop: Any) -> None:
    model = cell_of_a_moody_module("raises")
    assert drop()["unsaved"] == ["moody"]
    assert model.state == "dropped"
    assert "moody" not in models


@pytest.mark.parametrize("drop", [lambda: models.drop(all=True), lambda: reset(models)])
def test_what_goes_wrong_with_one_model_keeps_no_other_and_is_said_at_the_end(drop: Any) -> None:
    first, model = linear_cell("first"), cell_of_a_moody_module("odd")
    last = linear_cell("last")
    with pytest.raises(DropError, match=r"^first, moody, last: dropped, but .*: moody \(AttributeError: ") as caught:
        drop()
    assert len(str(caught.value).splitlines()) == 1
    assert [record["name"] for record in caught.value.record["models"]] == ["first", "last"]
    assert [one.state for one in (first, model, last)] == ["dropped"] * 3
    assert list(models) == []
    assert session.open_graphs() == []


def test_a_release_that_fails_closes_the_native_session_all_the_same() -> None:
    run_cell(linear_cell("net"), "session.run(w.assign(7.0))")
    linear_cell("net")
    former = models["net~1"]
    assert former(2.0) == 14.0
    folder = Path(str(former.record()["path"])).parent
    # A temporary folder that is a file by now is not removed.
    shutil.rmtree(folder)
    folder.write_text("")
    with pytest.raises(DropError, match=r"net, net~1: dropped, .*: net~1 \(NotADirectoryError: "):
        models.drop("net", "net~1")
    folder.unlink()
    assert former.state == "dropped"
    assert list(models) == []
    assert session.open_graphs() == []


def test_a_model_whose_turn_is_had_by_who_waits_for_this_command_is_dropped() -> None:
    a, b = linear_cell("a"), linear_cell("b")
    inside = threading.Event()
    refused: list[Exception] = []

    def wait_for_the_other() -> None:
        try:
            run_cell(b, "inside.set()\na.wake()", {"inside": inside, "a": a})
        except ModelStateError as error:
            refused.append(error)

    thread = threading.Thread(target=wait_for_the_other, daemon=True)
    with a.lifecycle.command_lock.hold():
        thread.start()
        assert inside.wait(60)
        models.drop(all=True)
    thread.join(60)
    assert not thread.is_alive()
    assert list(models) == []


def test_dropping_an_unknown_model_drops_none() -> None:
    models.add("kept", tf.function(lambda x: x))
    with pytest.raises(UnknownNameError, match="keptt"):
        models.drop("kept", "keptt")
    assert "kept" in models
