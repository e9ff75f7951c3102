"""Live Keras models: called as they are, sharing their weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tfmagic import models
from tfmagic.errors import InputError, SourceError

X = np.array([[1, 2], [3, 4]], np.float32)


def functional() -> Any:
    inputs = keras.Input((2,), name="features")
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(4, activation="tanh")(inputs))
    return keras.Model(inputs, keras.layers.Dense(1, name="score")(hidden))


def test_a_functional_model_answers_as_it_does_itself() -> None:
    network = functional()
    model = models.add("net", network)
    np.testing.assert_array_equal(model(X), network(X, training=False))
    assert [str(spec) for spec in model.signature().inputs] == ["features float32 (?, 2)"]
    assert list(model.run(features=X)) == ["score"]
    assert (model.mode, model.live, model.graph) == ("eager", network, None)
    assert model.record()["variables"] == 4
    assert model.record()["weights_bytes"] == 4 * (2 * 4 + 4 + 4 + 1)


def test_training_in_the_next_cell_changes_the_answer() -> None:
    network = functional()
    model = models.add("net", network)
    before = model(X)
    network.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    network.train_on_batch(X, np.array([[5.0], [7.0]], np.float32))
    after = model(X)
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(after, network(X, training=False))
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    np.testing.assert_array_equal(model(X), [[0], [0]])


def test_sequential_models() -> None:
    network = keras.Sequential([keras.Input((2,), name="rows"), keras.layers.Dense(3, name="last")])
    model = models.add("net", network)
    np.testing.assert_array_equal(model(X), network(X))
    assert list(model.run(X)) == ["last"]


def test_a_sequential_model_that_was_never_built_takes_what_comes() -> None:
    network = keras.Sequential([keras.layers.Dense(3)])
    model = models.add("net", network)
    np.testing.assert_array_equal(model(X), network(X))
    assert "shapes are not checked" in model.notes[0]


def two_inputs(inputs: Any, left: Any, right: Any) -> Any:
    return keras.Model(inputs, keras.layers.Subtract(name="difference")([left, right]))


@pytest.mark.parametrize("form", ["dict", "list"])
def test_several_inputs_are_bound_by_name(form: str) -> None:
    left, right = keras.Input((1,), name="left"), keras.Input((1,), name="right")
    network = two_inputs({"right": right, "left": left} if form == "dict" else [left, right], left, right)
    model = models.add("net", network)
    np.testing.assert_array_equal(model(right=[[1.0]], left=[[5.0]]), [[4.0]])
    np.testing.assert_array_equal(model({"left": [[5.0]], "right": [[1.0]]}), [[4.0]])
    with pytest.raises(InputError, match=r"net takes 2 inputs, so each needs its name"):
        model([[1.0]])
    with pytest.raises(InputError, match=r"net needs input 'right' \(float32 \(\?, 1\)\)"):
        model(left=[[1.0]])


@pytest.mark.parametrize("form", ["dict", "list"])
def test_several_outputs_come_by_name(form: str) -> None:
    inputs = keras.Input((2,), name="x")
    one, two = keras.layers.Dense(1, name="one")(inputs), keras.layers.Dense(2, name="two")(inputs)
    network = keras.Model(inputs, {"one": one, "two": two} if form == "dict" else [one, two])
    model = models.add("net", network)
    given = model.run(X)
    plain = network(X)
    np.testing.assert_array_equal(given["one"], plain["one"] if form == "dict" else plain[0])
    np.testing.assert_array_equal(given["two"], plain["two"] if form == "dict" else plain[1])
    assert list(model.run(X, fetch="two")) == ["two"]
    with pytest.raises(SourceError, match=r"net has no output 'tow' \(did you mean 'two'\?\)"):
        model.run(X, fetch="tow")


def test_a_subclassed_model() -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(2)
            self.dropout = keras.layers.Dropout(0.9)

        def call(self, rows: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
            return {"logits": self.dropout(self.dense(rows), training=training)}

    network = Net()
    model = models.add("net", network)
    given = model.run(rows=X)
    np.testing.assert_array_equal(given.logits, network(X)["logits"])
    np.testing.assert_array_equal(model(X), given.logits)


def test_a_layer_alone_is_a_model() -> None:
    layer = keras.layers.Rescaling(2.0)
    np.testing.assert_array_equal(models.add("net", layer)(X), 2 * X)


def test_inputs_are_checked_against_the_models_own_shapes() -> None:
    model = models.add("net", functional())
    with pytest.raises(InputError, match=r"net: input 'features' takes float32 \(\?, 2\), got \(2, 3\)"):
        model(np.zeros((2, 3), np.float32))


def test_ends_can_be_renamed() -> None:
    network = functional()
    model = models.add("net", network, inputs="x=features", outputs="p=score")
    np.testing.assert_array_equal(model.run(x=X).p, network(X))
    np.testing.assert_array_equal(model.run(x=X, fetch="p").p, network(X))


def test_dropping_leaves_the_object_as_it_is() -> None:
    network = functional()
    models.add("net", network)
    weights = network.get_weights()
    models.drop("net")
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert network(X).shape == (2, 1)


def test_a_class_instead_of_an_instance_is_refused() -> None:
    with pytest.raises(SourceError, match="it is the class Dense, not an instance of it"):
        models.add("net", keras.layers.Dense)


def test_a_model_whose_shape_is_not_known_cannot_be_warmed() -> None:
    with pytest.raises(SourceError, match=r"net cannot be run on zeros: the shape of its input .* is not known"):
        models.add("net", keras.Sequential([keras.layers.Dense(3)]), warm=True)
    assert "net" not in models
