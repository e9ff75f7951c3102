"""``keep``: a cell that is run again takes over the values of variables of the same name, shape and dtype."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from factories import add_cell, run_cell
from trained_cells import EAGER, EAGER_TRAIN, LINEAR, NAMES, TRAIN, X, linear

from tfmagic import models

pytestmark = pytest.mark.slow


def plain_training() -> Any:
    """Return the answer of the model after a training that leaves no variables of an optimiser."""
    model = linear().model
    run_cell(model, TRAIN.replace("AdamOptimizer", "GradientDescentOptimizer").replace("0.1", "0.01"), NAMES)
    return model(X)


def test_keep_carries_the_weights_over() -> None:
    before = plain_training()
    admission = linear(keep=True)
    assert admission.previous == {"name": None, "carried": 2}
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert admission.model is models.net


def test_what_was_carried_is_still_what_was_learnt() -> None:
    before = plain_training()
    linear(keep=True)
    assert linear().previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), before)
    np.testing.assert_array_equal(models.net(X), [[3], [7]])


def test_what_does_not_fit_is_not_carried_and_stays_aside() -> None:
    before = plain_training()
    wider = LINEAR.replace("[2, 1]", "[2, 3]")
    admission = linear(wider, keep=True)
    assert admission.previous == {"name": "net~1", "carried": 1}
    np.testing.assert_array_equal(models["net~1"](X), before)
    assert models.net(X).shape == (2, 3)
    bias = models["net~1"].run(X, fetch="b" if "b" in models["net~1"].graph.get_operations() else None)
    assert bias
    assert float(run_cell(models.net, "session.run(b)", NAMES)[0]) != 0
    assert run_cell(models.net, "session.run(w).tolist()", NAMES) == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("change", [('"w"', '"v"'), ("[1], init", "[1], tf.float64, init")])
def test_another_name_or_dtype_is_another_variable(change: tuple[str, str]) -> None:
    plain_training()
    code = LINEAR.replace(*change)
    if "float64" in change[1]:
        code = code.replace("tf.matmul(x, w), b", "tf.matmul(x, w), tf.cast(b, tf.float32)")
    assert linear(code, keep=True).previous == {"name": "net~1", "carried": 1}


def test_the_variables_of_an_optimiser_are_carried_where_the_new_cell_has_them() -> None:
    code = LINEAR + TRAIN.partition("for _")[0]
    linear(code, outputs="y")
    loop = "for _ in range(5):\n    session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})"
    run_cell(models.net, loop, NAMES)
    # What ten steps in one go give: five, the cell run again, and five more.
    assert linear(code, outputs="y", keep=True).previous == {"name": None, "carried": 8}
    run_cell(models.net, loop, NAMES)
    in_two = models.net(X)
    add_cell("whole", code, NAMES, outputs="y")
    run_cell(models.whole, loop.replace("5)", "10)"), NAMES)
    np.testing.assert_array_equal(in_two, models.whole(X))


def test_keep_without_anything_before_is_no_error() -> None:
    assert linear(keep=True).previous is None


def test_a_kept_value_is_a_copy() -> None:
    code = """
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 512], "x")
        w = v1.get_variable("w", [512, 512], initializer=v1.ones_initializer())
        y = tf.matmul(x, w, name="y")
        grow = w.assign_add(tf.ones_like(w))
    """
    linear(code, outputs="y")
    run_cell(models.net, "session.run(grow.op)", NAMES)
    old = models.net
    ones = np.ones((1, 512), np.float32)
    linear(code, outputs="y", keep=True)
    assert models.net is not old
    run_cell(models.net, "session.run(grow.op)", NAMES)
    assert set(models.net(ones).flat) == {512.0 * 3}


# -- eager cells ------------------------------------------------------------------


def test_an_eager_cell_carries_its_weights_over() -> None:
    add_cell("net", EAGER, NAMES, eager=True)
    run_cell(models.net, EAGER_TRAIN, NAMES)
    before = models.net(X)
    # Keras names the layer anew each time, as the second of its kind in this process, and the third.
    names = [variable.path for variable in models.net.live.variables]
    admission = add_cell("net", EAGER.replace(', name="y"', ""), NAMES, eager=True, keep=True)
    assert admission.previous == {"name": "net~1", "carried": 0}
    models.drop("net~1")
    add_cell("net", EAGER, NAMES, eager=True)
    run_cell(models.net, EAGER_TRAIN, NAMES)
    assert add_cell("net", EAGER, NAMES, eager=True, keep=True).previous == {"name": None, "carried": 2}
    np.testing.assert_array_equal(models.net(X), before)
    assert len(names) == 2


TWO_LAYERS = """
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    network
"""


def test_layers_that_keras_names_are_carried_in_their_order() -> None:
    keras.layers.Dense(1)  # whatever was made before
    add_cell("net", TWO_LAYERS, NAMES, eager=True)
    first, second = (layer.name for layer in models.net.live.layers)
    run_cell(models.net, "network.set_weights([w + 1.0 for w in network.get_weights()])", NAMES)
    weights = models.net.live.get_weights()
    assert add_cell("net", TWO_LAYERS, NAMES, eager=True, keep=True).previous == {"name": None, "carried": 4}
    assert [layer.name for layer in models.net.live.layers] != [first, second]
    for one, other in zip(models.net.live.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_name_that_is_there_goes_before_a_number_that_is_counted() -> None:
    code = """
        module = tf.Module()
        module.a, module.b = (tf.Variable([value], name=name) for name, value in PAIRS)
        module.f = tf.function(lambda x: x * module.a + module.b, input_signature=[tf.TensorSpec([1], name="x")])
        module
    """
    add_cell("net", code, {**NAMES, "PAIRS": [("part_1", 1.0), ("part_2", 2.0)]}, eager=True)
    run_cell(models.net, "module.a.assign([10.0])\nmodule.b.assign([20.0])", NAMES)
    # part_1 is gone, and part_2 is not to get what it had learnt.
    add_cell("net", code, {**NAMES, "PAIRS": [("part_2", 2.0), ("other", 3.0)]}, eager=True, keep=True)
    assert [float(one.numpy()[0]) for one in (models.net.live.a, models.net.live.b)] == [20, 3]
    assert "net~1" in models
