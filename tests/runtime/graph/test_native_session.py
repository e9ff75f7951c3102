"""A native session can be closed in the middle of a run, whatever it is doing."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from factories import fresh_python

from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.tensorflow.private import run_once

v1 = tf.compat.v1


class Held:
    """A run that is in the middle of Python code of its own, until it is released."""

    def __init__(self) -> None:
        self.graph = tf.Graph()
        self.inside, self.release = threading.Event(), threading.Event()
        with self.graph.as_default():
            self.w = v1.get_variable("w", initializer=tf.zeros([1000]))
            self.out = v1.py_func(self._hold, [], tf.float32)
            self.stuck = v1.FIFOQueue(1, [tf.float32]).dequeue()
        self.native = NativeSession(graph=self.graph)
        self.native.run(self.w.initializer)
        self.came: list[Any] = []

    def _hold(self) -> np.float32:
        self.inside.set()
        self.release.wait(30)
        return np.float32(1)

    def run(self, fetch: Any) -> threading.Thread:
        def work() -> None:
            try:
                self.came.append(self.native.run(fetch))
            except Exception as error:  # noqa: BLE001 - looked at below
                self.came.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        return thread


def test_closing_does_not_wait_for_python_inside_the_run() -> None:
    held = Held()
    thread = held.run(held.out)
    assert held.inside.wait(60)
    held.native.close()
    assert thread.is_alive()
    assert held.native._session is not None
    held.release.set()
    thread.join(60)
    assert isinstance(held.came[0], tf.errors.CancelledError)
    # What it held was given back by the run that ended last.
    assert held.native._session is None


def test_closing_ends_what_can_be_ended_and_frees_all() -> None:
    held = Held()
    thread = held.run(held.stuck)
    time.sleep(0.2)
    held.native.close()
    thread.join(60)
    assert isinstance(held.came[0], tf.errors.CancelledError)
    assert held.native._session is None


def test_a_session_that_does_nothing_is_freed_at_once_and_once() -> None:
    held = Held()
    held.native.close()
    assert held.native._session is None
    held.native.close()
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
        held.native.run(held.w)


def test_a_prepared_call_counts_as_a_run() -> None:
    held = Held()
    thread = threading.Thread(target=lambda: _ignoring(lambda: run_once(held.native, [held.out.op.name], {})))
    thread.start()
    assert held.inside.wait(60)
    held.native.close()
    assert held.native._session is not None
    held.release.set()
    thread.join(60)
    assert held.native._session is None


def test_closing_under_many_runs_of_other_threads_breaks_nothing() -> None:
    for _ in range(30):
        held = Held()
        threads = [threading.Thread(target=lambda held=held: _ignoring(lambda: _many(held))) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.002)
        held.native.close()
        for thread in threads:
            thread.join(60)
        assert held.native._session is None


def _many(held: Held) -> None:
    while True:
        held.native.run(held.w)


def test_sizes_are_added_up_while_another_thread_closes_it() -> None:
    with tf.Graph().as_default() as graph:
        ones = [tf.constant(1.0, name=f"one{number}") for number in range(64)]
    native = NativeSession(graph=graph)
    for one in ones:
        native.run(one)
    closing = threading.Thread(target=native.close)

    class Size(int):
        """A size that another thread is about to add when the session is closed."""

        def __radd__(self, other: int) -> int:
            if not closing.ident:
                closing.start()
                closing.join(0.5)
            return int(self) + other

    native._calls = {names: (call, Size(size)) for names, (call, size) in native._calls.items()}
    assert native.kept_bytes > 0
    closing.join(30)
    assert not closing.is_alive()
    assert native.kept_bytes == 0


def _ignoring(call: Any) -> None:
    with contextlib.suppress(tf.errors.OpError, RuntimeError):
        call()


def test_a_process_that_ends_with_models_prints_nothing_of_it() -> None:
    done = fresh_python(
        """
        import numpy as np
        import tensorflow as tf

        from tfmagic import models

        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph:
            tf.multiply(v1.placeholder(tf.float32, [2], "x"), 2.0, "y")
        kept = [models.add(name, graph.as_graph_def()) for name in ("one", "other")]
        print([model(np.ones(2, np.float32)).tolist() for model in kept])
        models.drop("one")
        """
    )
    assert done.stdout == "[[2.0, 2.0], [2.0, 2.0]]\n"
    assert "Traceback" not in done.stderr
