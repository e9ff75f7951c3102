"""Copies of live Keras models: the same answers, and from then on weights of their own."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import run_cell
from keras_networks import DRAWN, TABLES, WHOLE, functional, input_as_output, looked_up_words, rows, trained
from reference_keras import assert_close, assert_plain, assert_same, eager_answer

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keras_networks import Case

pytestmark = pytest.mark.slow

X = np.array([[1, 2], [3, 4]], np.float32)
COARSE = {"mixed_precision", "half", "brain_half"}


def train(network: Any, given: Any, width: int) -> None:
    """Train a Keras model in place."""
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    network.train_on_batch(given, np.ones((len(given), width), np.float32))


# -- Keras ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [*DRAWN, *WHOLE, *TABLES, input_as_output], ids=lambda one: one.__name__)
def test_a_copy_of_a_keras_model_answers_as_it_does(tmp_path: Path, make: Callable[[], Case]) -> None:
    network, given = make()
    trained(network)
    expected = eager_answer(network, given) if make.__name__ == "stateful" else None
    if expected is not None:
        network.layers[-1].reset_state()
    model = models.add("net", network, copy=True)
    answer = list(model.run(given).values())
    if expected is None:
        assert_plain(answer, tmp_path / "plain", network, given, 0.05 if make.__name__ in COARSE else 1e-5)
    else:
        assert_close(answer, expected)
    assert (model.mode, model.live) == ("graph", None)
    live = models.add("live", network)
    assert [str(one) for one in model.signature().inputs] == [str(one) for one in live.signature().inputs]
    assert list(model.run(given)) == list(live.run(given))


def test_what_is_trained_afterwards_is_trained_alone() -> None:
    network, given = functional()
    model = models.add("net", trained(network), copy=True)
    before = model(given)
    weights = network.get_weights()
    train(network, given["x"], 3)
    assert not np.allclose(network.get_weights()[0], weights[0])
    # In place, as an optimiser does it: a buffer shared with the copy would show.
    assert_same([model(given)], [before])
    after = network.get_weights()
    code = """
        step = tf.compat.v1.train.GradientDescentOptimizer(1.0).minimize(tf.reduce_mean(y ** 2))
        for _ in range(3):
            session.run(step, {x: given})
    """
    run_cell(model, code, {"tf": tf, "given": given["x"], "y": model.names[network.output_names[0]]})
    assert not np.allclose(model(given), before)
    assert_same(network.get_weights(), after)


class Net(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.dropout = keras.layers.Dropout(0.9)

    def call(self, rows: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
        return {"logits": self.dropout(self.dense(rows), training=training)}


def test_a_subclass_can_be_copied_once_it_was_called() -> None:
    network = Net()
    with pytest.raises(SourceError, match=r"net: a copy needs the dtype and shape of input 'rows', .* call the Keras"):
        models.add("net", network, copy=True)
    assert len(models) == 0
    network(X)
    model = models.add("net", network, copy=True)
    for given in (X, np.ones((5, 2), np.float32)):
        assert_close([model.run(given).logits], [network(given)["logits"].numpy()])


def test_a_sequential_model_that_was_never_built_can_be_copied_once_it_was_called() -> None:
    network = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(SourceError, match="net: a copy needs the dtype and shape of input"):
        models.add("net", network, copy=True)
    network(X)
    assert_close([models.add("net", network, copy=True)(X)], [network(X).numpy()])


def test_a_call_through_tfmagic_is_a_call_too() -> None:
    network = Net()
    models.add("live", network)(X)
    assert models.add("net", network, copy=True)(X).shape == (2, 2)


def test_a_layer_that_counts_goes_on_counting() -> None:
    class Counting(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            del shape
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x: Any) -> Any:
            self.count.assign_add(1.0)
            return x + self.count

    layer = Counting()
    layer.build((None, 2))
    x = keras.Input((2,))
    network = keras.Model(x, layer(x))
    layer.count.assign(0.0)
    model = models.add("net", network, copy=True)
    assert [float(model(0 * X)[0, 0]) for _ in range(3)] == [1, 2, 3]
    assert float(layer.count.numpy()) == 0
    assert [float(np.asarray(network(0 * X))[0, 0]) for _ in range(2)] == [1, 2]


# -- modules and functions ---------------------------------------------------------------


def test_sync_takes_the_present_weights() -> None:
    network, given = functional()
    model = models.add("net", network, copy=True)
    train(network, given["x"], 3)
    assert model.sync() == 4
    assert_close(model.run(given).values(), eager_answer(network, given))
    network.set_weights([0 * weight for weight in network.get_weights()])
    assert not np.allclose(model(given), 1 / 3)
    model.sync()
    np.testing.assert_allclose(model(given), 1 / 3, rtol=1e-6)


def test_a_copy_comes_back_with_the_objects_weights() -> None:
    network, given = functional()
    model = models.add("net", network, copy=True)
    before = model(given)
    session.close()
    assert_same([model(given)], [before])
    # Its source is the object: opened anew, it begins with what that has learnt since.
    train(network, given["x"], 3)
    session.close()
    assert_close([model(given)], eager_answer(network, given))


def test_a_dropped_copy_lets_go_of_everything() -> None:
    network, given = functional()
    model = models.add("net", network, copy=True)
    model(given)
    graph, live = weakref.ref(model.graph), weakref.ref(network)
    models.drop("net")
    del network, model, given
    gc.collect()
    assert graph() is None
    assert live() is None
    assert session.open_graphs() == []


def test_an_unchanged_object_is_kept_and_a_changed_one_copied_again() -> None:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model = models.add("net", network, copy=True)
    assert models.add("net", network, copy=True) is model
    network.add(keras.layers.Dense(1))
    again = models.add("net", network, copy=True)
    assert again is not model
    assert again(X).shape == (2, 1)
    # Shared and copied are two readings of one object.
    assert models.add("net", network).mode == "eager"
    assert models.add("net", network, copy=True).mode == "graph"


def test_a_copy_is_trained_by_what_was_trainable() -> None:
    x = keras.Input((2,), name="x")
    frozen = keras.layers.Dense(2)
    network = keras.Model(x, keras.layers.Dense(1)(keras.layers.BatchNormalization()(frozen(x))))
    frozen.trainable = False
    model = models.add("net", network, copy=True)
    names = run_cell(model, "[v.op.name for v in tf.compat.v1.trainable_variables()]", {"tf": tf})
    assert len(names) == len(network.trainable_variables) == 4
    assert not any(frozen.name in name for name in names)


def test_renamed_ends_of_a_copy() -> None:
    network, given = functional()
    model = models.add("net", network, copy=True, inputs="a=x", outputs=f"p={network.output_names[0]}")
    assert_close([model.run(a=given["x"]).p], eager_answer(network, given))


def test_rows_of_any_number() -> None:
    network = keras.Sequential([keras.layers.Dense(3)])
    network(rows(4, 2))
    model = models.add("net", network, copy=True)
    assert [model(rows(count, 2)).shape for count in (1, 4, 9)] == [(1, 3), (4, 3), (9, 3)]


def test_a_copy_with_tables_takes_its_folder_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    network, given = looked_up_words()
    models.add("net", network, copy=True)
    assert len(list(tmp_path.iterdir())) == 1
    models.net.sync()
    gc.collect()
    assert len(list(tmp_path.iterdir())) == 1
    assert models.net.run(given)
    models.drop("net")
    gc.collect()
    assert list(tmp_path.iterdir()) == []


# -- graphs ------------------------------------------------------------------------------------
