"""Dropping a model ends what it does, and frees what it holds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import ModelStateError, UnknownNameError
from tfmagic.magics.cells import between_cells
from tfmagic.panel.sentences import dropped_text
from tfmagic.runtime.malloc import rss_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

v1 = tf.compat.v1


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
    monkeypatch.setattr("tfmagic.model.life._DRAIN_S", 0.05)
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
    monkeypatch.setattr("tfmagic.model.life._DRAIN_S", 0.05)
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
    monkeypatch.setattr("tfmagic.model.life._DRAIN_S", 0.05)
    record = models.drop("waiting")
    assert record["running"] == []
    assert "goes on" not in dropped_text(record)


def test_a_drop_that_is_interrupted_drops_all_the_same(waiting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, thread, _ = waiting

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tfmagic.runtime.runs.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        models.drop("waiting")
    monkeypatch.undo()
    thread.join(30)
    assert not thread.is_alive()
    assert model.state == "dropped"


def test_dropping_an_unknown_model_drops_none() -> None:
    models.add("kept", tf.function(lambda x: x))
    with pytest.raises(UnknownNameError, match="keptt"):
        models.drop("kept", "keptt")
    assert "kept" in models
