"""Dropping a model ends what it does, and frees what it holds."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import ModelStateError, UnknownNameError

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
