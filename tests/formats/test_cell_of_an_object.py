"""Cells that run eagerly: their last expression is the model."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import models, session
from tfmagic.errors import ModelStateError, SourceError

X = np.array([[1, 2], [3, 4]], np.float32)
NAMES = {"tf": tf, "keras": keras, "np": np}

NETWORK = """
    network = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, name="y")])
    width = 2
    network
"""
MODULE = """
    class Scale(tf.Module):
        def __init__(self):
            self.w = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": x * self.w}

    Scale()
"""
FUNCTION = """
    w = tf.Variable(3.0)

    @tf.function
    def triple(x):
        return x * w

    triple
"""


def made(code: str, name: str = "net", **options: Any) -> Any:
    return add_cell(name, code, NAMES, eager=True, **options).model


def test_a_keras_model() -> None:
    model = made(NETWORK)
    assert (model.mode, model.graph, model.record()["kind"]) == ("eager", None, "cell")
    assert isinstance(model.live, keras.Sequential)
    np.testing.assert_array_equal(model(X), model.live(X))
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?, 2)"]


def test_a_module() -> None:
    model = made(MODULE)
    assert model([1.0, 2.0]).tolist() == [2, 4]
    assert list(model.run([1.0])) == ["y"]


def test_a_function() -> None:
    assert made(FUNCTION)([1.0, 2.0]).tolist() == [3, 6]


def test_the_cells_names_are_the_rooms_and_further_cells_run_eagerly_in_them() -> None:
    model = made(NETWORK)
    assert sorted(model.names) == ["network", "width"]
    assert run_cell(model, "width = width + 1\nwidth, tf.executing_eagerly(), this.live is network", NAMES) == (
        3,
        True,
        True,
    )
    before = model(X)
    code = """
        network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        network.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        float(network.get_weights()[0].sum())
    """
    run_cell(model, code, NAMES)
    assert not np.allclose(model(X), before)
    np.testing.assert_array_equal(model(X), model.live(X))


def test_its_weights_are_nobodys_graph_and_outlive_the_session() -> None:
    model = made(MODULE)
    model.live.w.assign(7.0)
    session.close()
    assert model([1.0]).tolist() == [7]
    assert session.open_graphs() == session.hosted_graphs() == []


def test_ends_and_the_default_signature_can_be_said() -> None:
    model = made(NETWORK, inputs="rows=x", outputs="score=y")
    np.testing.assert_array_equal(model.run(rows=X).score, model.live(X))


@pytest.mark.parametrize("code", ["a = 1", "None", "", "network = keras.Input((2,))"])
def test_a_cell_whose_last_line_has_no_value_is_refused(code: str) -> None:
    with pytest.raises(SourceError, match=r"net: the last line of an --eager cell is the model \(as in: net\)"):
        made(code)
    assert len(models) == 0


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("7", "an object of int"),
        ("keras.layers.Dense", "an object of "),
        ("'net.keras'", "an object of str"),
        ("tf.constant(1.0)", "an object of "),
        ("lambda x: x", "an object of function"),
        ("with tf.Graph().as_default() as graph:\n    tf.constant(1.0)\ngraph", "a tf.Graph"),
    ],
)
def test_a_last_value_that_cannot_run_eagerly_is_refused(code: str, what: str) -> None:
    with pytest.raises(SourceError, match=f"net: the last line of an --eager cell is the model.*{what}") as caught:
        made(code)
    assert "\n" not in str(caught.value)
    assert len(models) == 0


def test_an_error_in_the_cell_is_the_persons_and_leaves_the_former_model() -> None:
    model = made(MODULE)
    with pytest.raises(ZeroDivisionError):
        made("1 / 0")
    with pytest.raises(SourceError):
        made("7")
    assert models.net is model
    assert model([1.0]).tolist() == [2]


def test_it_is_rebuilt_each_time() -> None:
    first = made(MODULE)
    live = weakref.ref(first.live)
    assert add_cell("net", MODULE.replace("2.0", "5.0"), NAMES, eager=True).outcome == "renewed"
    assert models.net([1.0]).tolist() == [5]
    del first
    gc.collect()
    assert live() is None


def test_a_graph_cell_and_an_eager_one_are_the_same_source() -> None:
    code = 'x = tf.compat.v1.placeholder(tf.float32, [None], "x")\ny = x * 4.0'
    made(MODULE)
    assert add_cell("net", code, NAMES).outcome == "renewed"
    assert models.net.mode == "graph"
    assert models.net([1.0]).tolist() == [4]
    assert add_cell("net", MODULE, NAMES, eager=True).outcome == "renewed"
    assert models.net.mode == "eager"


def test_another_source_needs_replace() -> None:
    function = tf.function(lambda x: x + 1.0)
    models.add("net", function, text="function")
    with pytest.raises(SourceError.__mro__[1], match="the name 'net' is taken by function"):
        made(MODULE)
    assert add_cell("net", MODULE, NAMES, eager=True, replace=True).outcome == "replaced"


def test_a_dropped_one_lets_go_of_its_names() -> None:
    model = made(NETWORK)
    live = weakref.ref(model.live)
    models.drop("net")
    del model
    gc.collect()
    assert live() is None


def test_it_cannot_be_synced() -> None:
    with pytest.raises(ModelStateError, match="net is no copy of a live object, it shares its weights"):
        made(MODULE).sync()


def test_on_a_device() -> None:
    model = made("w = tf.Variable(2.0)\ntf.function(lambda x: x * w)", device="cpu")
    assert model([1.0]).tolist() == [2]
    assert model.record()["device"] == "/device:CPU:0"
