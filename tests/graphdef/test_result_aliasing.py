"""What a call gives is the caller's to change: no variable, constant or input changes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import save_v2

from tfmagic import models, session
from tfmagic.graphdef.result_aliasing import shared_results

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.ones((64, 4), np.float32)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("times", [1, 60])
def test_changing_a_result_changes_no_weights(tmp_path: Path, warm: bool, times: int) -> None:  # noqa: FBT001
    w = tf.Variable(np.ones(4, np.float32))
    spec = tf.TensorSpec([None, 4], tf.float32, name="x")
    folder = save_v2(tmp_path / "net", lambda x: {"y": x * w, "scale": tf.identity(w)}, spec, w=w)
    model = models.add("net", folder, warm=warm)
    for _ in range(times):
        model(X)["scale"][:] = 7
    assert (model(X)["y"] == 1).all()
    assert (model(X)["scale"] == 1).all()


@pytest.mark.parametrize("use_resource", [False, True])
def test_a_variable_that_was_fetched_stays_what_it_was(use_resource: bool) -> None:  # noqa: FBT001
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.ones((4, 4), np.float32), use_resource=use_resource)
        tf.identity(x @ w, name="y")
        more = v1.assign_add(w, tf.ones((4, 4)))
    model = models.add("net", graph, inputs="x", outputs="y")
    before = model.run(X, fetch="w")["w"]
    session.run(more)
    assert (before == 1).all()
    assert (model.run(X, fetch="w")["w"] == 2).all()


def test_a_constant_that_was_fetched_can_be_changed() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.add(x, tf.constant(np.full(4, 3, np.float32), name="c"), name="y")
    model = models.add("net", graph, inputs="x", outputs="y")
    for _ in range(3):
        model.run(X, fetch="c")["c"][:] = 0
    assert (model(X) == 4).all()


@pytest.mark.parametrize("times", [1, 60])
def test_what_was_fed_and_comes_back_is_not_the_array_that_was_fed(times: int) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 1024], "x")
        tf.identity(x, name="echo")
        # Which the optimizer makes the input itself.
        tf.multiply(x, tf.ones([1024]), name="times_one")
    model = models.add("net", graph, inputs="x", outputs=["echo", "times_one"])
    whole = np.zeros(64 * 1024 + 16, np.float32)
    start = -whole.ctypes.data % 64 // 4
    fed = whole[start : start + 64 * 1024].reshape(64, 1024)
    for _ in range(times):
        fed[:] = 1
        results = model(fed)
    fed[:] = 9
    assert (results["echo"] == 1).all()
    assert (results["times_one"] == 1).all()


def of(build: Any) -> tuple[int, ...]:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", [4, 4])
        fetches = [tensor.name for tensor in build(x, w)]
    return shared_results(graph, ["x:0"], fetches)


def test_what_is_computed_is_not_copied() -> None:
    assert of(lambda x, w: [x @ w, tf.identity(tf.nn.softmax(x @ w)), tf.reshape(tf.nn.relu(x), [-1]), x @ w + 1]) == ()


def test_what_may_be_memory_of_others_is() -> None:
    def ends(x: Any, w: Any) -> list[Any]:
        counted = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a @ w), [0, x])[1]
        return [x, tf.identity(x), x * 1, tf.reshape(w, [-1]), tf.nn.softmax(w), counted, tf.nn.top_k(x)[1], x @ w]

    assert of(ends) == (0, 1, 2, 3, 4, 5, 6)


def test_functions_are_looked_into() -> None:
    @tf.function
    def inner(x: Any, w: Any) -> Any:
        return tf.nn.softmax(x @ w), tf.identity(w), tf.nn.softmax(w), tf.nn.top_k(x)[1], x

    @tf.function
    def outer(x: Any, w: Any) -> Any:
        return inner(x, w)

    assert of(outer) == (1, 2, 3, 4)


def test_the_answer_of_a_keras_export_is_not_copied(tmp_path: Path) -> None:
    net = keras.Sequential([keras.Input([4]), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    net.export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net")
    (spec,), (output,) = model.signature().inputs, model.signature().outputs
    assert shared_results(model.graph, [str(spec.tensor)], [str(output.tensor)]) == ()


def test_what_is_fed_in_the_middle_is_not_computed() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        hidden = tf.nn.relu(x, name="hidden")
        tf.identity(hidden, name="y")
    assert shared_results(graph, ["x:0"], ["y:0"]) == ()
    assert shared_results(graph, ["hidden:0"], ["y:0"]) == (0,)


def test_what_is_added_to_something_constant_may_be_passed_on() -> None:
    assert of(lambda x, w: [x + tf.matmul(w, w)]) == (0,)
