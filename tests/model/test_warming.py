"""Warming: runs on made-up numbers that end in time, can be stopped, and leave the model as it was."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import StoppedError
from tfmagic.model import trial

if TYPE_CHECKING:
    from tfmagic.model.model import Model

v1 = tf.compat.v1
X = np.ones((1, 4), np.float32)


def lasting() -> Any:
    """Return a graph whose runs last until its variable ``rounds`` is small."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        rounds = v1.get_variable("rounds", initializer=np.int64(10**15))
        v1.assign(rounds, 1, name="end")
        done = tf.while_loop(lambda i: i < rounds, lambda i: (i + 1,), [np.int64(0)])[0]
        tf.multiply(x, tf.cast(done, tf.float32), name="y")
    return graph


def ended(model: Model) -> None:
    session.run(model.graph.get_operation_by_name("end"))


def test_runs_on_zeros_that_take_too_long_are_ended_and_the_model_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_MADE_UP_S", 0.5)
    model = models.add("net", lasting(), outputs="y", warm=True)
    assert any(note.startswith("not warmed: its runs on zeros took more than") for note in model.notes)
    ended(model)
    np.testing.assert_array_equal(model(X), X)
    assert model.calls == 1


def test_stop_now_ends_the_warming_of_a_model_that_is_there() -> None:
    graph = lasting()
    model = models.add("net", graph, outputs="y")
    raised: list[BaseException] = []

    def warm() -> None:
        try:
            models.add("net", graph, outputs="y", warm=True)
        except BaseException as error:  # noqa: BLE001 - looked at below
            raised.append(error)

    thread = threading.Thread(target=warm)
    thread.start()
    while model.state != "running":
        assert thread.is_alive()
        thread.join(0.01)
    model.stop(now=True)
    thread.join()
    assert [type(error) for error in raised] == [StoppedError]
    ended(model)
    np.testing.assert_array_equal(model(X), X)


def test_a_question_for_placement_is_not_asked_with_a_loop_that_may_not_end() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0], name="y")
    model = models.add("net", graph, outputs="y")
    found = trial.placement(model)
    assert "a loop whose length depends on the values of its inputs" in str(found)
    assert model.state == "ready"


def test_a_live_functions_placement_is_not_asked_so_either() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def net(x: Any) -> Any:
        return tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0]

    model = models.add("net", net)
    assert "a loop whose length depends on the values of its inputs" in str(trial.placement(model))


class Counting(tf.Module):
    """Counts its calls, and keeps what it was last given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.last = tf.Variable(0), tf.Variable(tf.fill([4], 5.0))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1)
        self.last.assign(x[0])
        return x


def looping(x: Any) -> Any:
    return tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0]


def drawing(x: Any) -> Any:
    return x + tf.random.uniform([])


@pytest.mark.parametrize("net", [looping, drawing])
def test_a_live_function_is_not_run_on_zeros_where_a_file_would_not_be(net: Any) -> None:
    function = tf.function(net, input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    model = models.add("net", function, warm=True)
    assert [note for note in model.notes if note.startswith("read, and not run ahead of its first call: ")]
    assert model.state == "ready"
    assert model(8 * X).shape == (1, 4)


def test_warming_a_live_object_that_keeps_something_leaves_it_as_it_was() -> None:
    module = Counting()
    model = models.add("net", module, warm=True)
    assert (int(module.calls), module.last.numpy().tolist()) == (0, [5.0] * 4)
    assert "a run changes what comes of the next one" in model.notes[-1]
    model(X)
    assert int(module.calls) == 1


def test_a_live_network_is_warmed_still_and_one_that_cannot_be_traced_is_left_alone() -> None:
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    assert not any("not run ahead" in note for note in models.add("net", network, warm=True).notes)

    class Python(keras.layers.Layer):
        seen = 0

        def compute_output_spec(self, inputs: Any) -> Any:
            return keras.KerasTensor(inputs.shape, inputs.dtype)

        def call(self, inputs: Any) -> Any:
            type(self).seen += int(float(inputs[0, 0]) < 10)
            return inputs

    model = models.add("plain", keras.Sequential([keras.Input((4,)), Python()]), warm=True)
    assert any("it cannot be traced as a function" in note for note in model.notes)
    assert Python.seen == 0
    model(X)
    assert Python.seen == 1
