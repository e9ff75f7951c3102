"""Closing the session under calls of other threads leaves nothing broken."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import ModelStateError
from tfmagic.runtime.session.hosted_graph import hosted

v1 = tf.compat.v1


def doubling() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        tf.identity(x * tf.Variable(2.0, name="w"), name="y")
    return graph


def test_calls_go_on_while_another_thread_closes_the_session() -> None:
    model = models.add("doubling", doubling())
    stop = threading.Event()
    answers: list[float] = []
    surprises: list[BaseException] = []

    def call() -> None:
        while not stop.is_set():
            try:
                answers.append(float(model([1.0])[0]))
            except ModelStateError:
                pass  # cancelled in the middle: said in one line, and the next call works
            except BaseException as error:  # noqa: BLE001 - a thread's errors are looked at below
                surprises.append(error)
                return

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        before = len(answers)
        session.close()
        while len(answers) == before and not surprises:
            stop.wait(0.001)
    stop.set()
    for thread in threads:
        thread.join()
    assert not surprises
    assert set(answers) == {2.0}
    np.testing.assert_array_equal(model([3.0]), [6.0])


def test_a_prepared_call_is_not_kept_past_its_native_session() -> None:
    model = models.add("doubling", doubling())
    model([1.0])
    before = hosted(model.graph).opened
    session.close()
    assert before is not None
    assert before.closed
    np.testing.assert_array_equal(model([1.0]), [2.0])
    assert hosted(model.graph).opened is not before
