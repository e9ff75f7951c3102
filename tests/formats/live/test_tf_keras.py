"""Keras 2, which goes on as ``tf_keras``: its live models are modules, and so are files that Keras 3 cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from keras_networks import rows, whole_numbers
from reference_keras import assert_close, assert_same

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers


def sequential() -> tuple[Any, Any]:
    stack = [layers.InputLayer((8,)), layers.Dense(4, activation="relu"), layers.BatchNormalization(), layers.Dense(2)]
    return tf_keras.Sequential(stack), rows(3, 8)


def functional() -> tuple[Any, Any]:
    x = tf_keras.Input((8,), name="x")
    hidden = layers.Dropout(0.5)(layers.Dense(4, activation="tanh")(x))
    return tf_keras.Model(x, layers.Dense(2, name="out")(hidden)), rows(3, 8)


def convolutional() -> tuple[Any, Any]:
    x = tf_keras.Input((16, 16, 3))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(x)))
    return tf_keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y))), rows(2, 16, 16, 3)


def recurrent() -> tuple[Any, Any]:
    x = tf_keras.Input((7,), dtype="int32")
    y = layers.LSTM(4, return_sequences=True)(layers.Embedding(20, 5, mask_zero=True)(x))
    return tf_keras.Model(x, layers.GRU(3)(y)), whole_numbers(3, 7, below=20)


def normalized() -> tuple[Any, Any]:
    normalization = layers.Normalization()
    normalization.adapt(rows(50, 8, seed=4))
    x = tf_keras.Input((8,))
    return tf_keras.Model(x, normalization(x)), rows(3, 8)


def looked_up() -> tuple[Any, Any]:
    x = tf_keras.Input((2,), dtype="string")
    words = layers.StringLookup(vocabulary=["a", "b"])
    return tf_keras.Model(x, layers.Embedding(4, 2)(words(x))), np.array([["a", "x"], ["b", "a"]], object)


class Subclass(tf_keras.Model):  # type: ignore[name-defined]  # tf_keras has no types
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)
        self.dropout = layers.Dropout(0.9)

    def call(self, rows: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
        return self.dropout(self.dense(rows), training=training)


def subclassed() -> tuple[Any, Any]:
    network = Subclass()
    network(rows(3, 8))
    return network, rows(3, 8)


def compiled() -> tuple[Any, Any]:
    network, given = functional()
    network.compile("adam", "mse")
    network.fit(given, np.zeros((3, 2)), verbose=0)
    network.predict(given, verbose=0)
    return network, given


ALL = [sequential, functional, convolutional, recurrent, normalized, looked_up, subclassed, compiled]


@pytest.mark.parametrize("make", ALL)
def test_a_live_model_is_called_as_it_is(make: Callable[[], tuple[Any, Any]]) -> None:
    network, given = make()
    model = models.add("net", network)
    assert (model.mode, model.record()["kind"]) == ("eager", "tf.Module")
    assert_same([model(given)], [network(tf.constant(given), training=False).numpy()])
    assert model.record()["variables"] == len(network.variables)


@pytest.mark.parametrize("make", ALL)
def test_a_copy_answers_the_same(make: Callable[[], tuple[Any, Any]]) -> None:
    network, given = make()
    model = models.add("net", network, copy=True)
    assert model.mode == "graph"
    expected = [network(tf.constant(given), training=False).numpy()]
    assert_close([model(given)], expected)
    (end,) = model.signature().inputs
    assert end.shape is not None
    assert end.shape[0] is None
    assert end.dtype == ("string" if given.dtype == object else given.dtype.name)
    more = np.concatenate([given, given])
    assert_close([model(more)], [np.concatenate([*expected, *expected])])
    session.close()
    assert_close([model(given)], expected)


def test_training_shows_in_the_shared_model_and_not_in_the_copy() -> None:
    network, given = functional()
    shared, copied = models.add("shared", network), models.add("copied", network, copy=True)
    before = copied(given)
    network.compile(tf_keras.optimizers.SGD(0.5), "mse")
    network.fit(given, np.ones((3, 2)), verbose=0)
    assert not np.allclose(shared(given), before)
    assert_same([shared(given)], [network(given, training=False).numpy()])
    assert_same([copied(given)], [before])
    copied.sync()
    assert_close([copied(given)], [shared(given)])


def test_its_own_functions_for_training_are_left_out_of_a_copy() -> None:
    network, _ = compiled()
    model = models.add("net", network, copy=True)
    assert list(model.signatures) == ["serving_default"]
    assert any("without its signature" in note for note in model.notes)


def test_a_subclass_that_was_never_called_cannot_be_copied_yet() -> None:
    with pytest.raises(SourceError, match="net: a copy needs the dtype and shape of input 'rows'"):
        models.add("net", Subclass(), copy=True)


@pytest.mark.parametrize("make", [sequential, functional, convolutional, normalized])
def test_an_h5_file_that_means_the_same_to_keras_3_is_read(tmp_path: Path, make: Callable[[], tuple[Any, Any]]) -> None:
    network, given = make()
    network.save(tmp_path / "net.h5")
    model = models.add("net", tmp_path / "net.h5")
    assert model.record()["kind"] == "Keras file"
    assert_close([model(given)], [network(given, training=False).numpy()])


def differences() -> tuple[Any, Any]:
    a, b = tf_keras.Input((3,), name="a"), tf_keras.Input((3,), name="b")
    return tf_keras.Model([a, b], a - b), rows(3, 3)


@pytest.mark.parametrize(
    ("make", "suffix"),
    [(sequential, ".keras"), (functional, ".keras"), (recurrent, ".keras"), (recurrent, ".h5"), (differences, ".h5")],
)
def test_a_file_that_does_not_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[], tuple[Any, Any]], suffix: str
) -> None:
    file = tmp_path / f"net{suffix}"
    make()[0].save(file)
    said = r"was saved by Keras 2\..* load it with tf_keras.models.load_model"
    with pytest.raises(SourceError, match=said) as caught:
        models.add("net", file)
    assert "\n" not in str(caught.value)
    assert models.inspect(file)["signatures"] == []
    # What it says works.
    assert models.add("net", tf_keras.models.load_model(file)).mode == "eager"


def test_a_saved_model_of_keras_2(tmp_path: Path) -> None:
    network, given = functional()
    network.save(tmp_path / "net", save_format="tf")
    model = models.add("net", tmp_path / "net")
    assert_close([model(given)], [network(given, training=False).numpy()])


def test_code_in_an_h5_file_of_keras_2_needs_unsafe(tmp_path: Path) -> None:
    x = tf_keras.Input((2,))
    tf_keras.Model(x, layers.Lambda(lambda v: v * 3.0)(x)).save(tmp_path / "net.h5")
    with pytest.raises(SourceError, match="carries Python code"):
        models.add("net", tmp_path / "net.h5")
