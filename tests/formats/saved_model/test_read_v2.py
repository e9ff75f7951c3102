"""SavedModels of ``tf.saved_model.save`` and of Keras ``export``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.array([[1, 2], [3, 4]], np.float32)


class Several(tf.Module):
    """Several signatures, a state, and a table whose vocabulary is an asset."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.w = tf.Variable(3.0, name="w")
        self.count = tf.Variable(0, name="count", dtype=tf.int64)
        initialiser = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(initialiser, -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def scale(self, x: Any) -> dict[str, Any]:
        return {"y": x * self.w, "rows": tf.shape(x)[0]}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64, name="by")])
    def add(self, by: Any) -> dict[str, Any]:
        return {"count": self.count.assign_add(by)}

    @tf.function(input_signature=[])
    def reset(self) -> dict[str, Any]:
        return {"count": self.count.assign(0)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def look(self, words: Any) -> dict[str, Any]:
        return {"ids": self.table.lookup(words)}


@pytest.fixture
def several(tmp_path: Path) -> Path:
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("red\ngreen\nblue\n")
    module = Several(vocabulary)
    signatures = {"serving_default": module.scale, "add": module.add, "reset": module.reset, "look": module.look}
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=signatures)
    vocabulary.unlink()
    return tmp_path / "net"


def test_every_signature_answers_as_tensorflow_does(several: Path) -> None:
    model = models.add("net", several)
    assert sorted(model.signatures) == ["add", "look", "reset", "serving_default"]
    plain = tf.saved_model.load(str(several)).signatures
    given = model.run(x=X)
    wanted = plain["serving_default"](tf.constant(X))
    assert list(given) == ["rows", "y"]
    np.testing.assert_array_equal(given.y, wanted["y"])
    assert given.rows == 2


def test_a_table_is_filled_from_the_models_own_asset(several: Path) -> None:
    model = models.add("net", several)
    np.testing.assert_array_equal(model(["blue", "pink", b"red"], signature="look"), [2, -1, 0])
    moved = several.rename(several.with_name("moved"))
    np.testing.assert_array_equal(models.add("moved", moved)(["green"], signature="look"), [1])


def test_state_is_kept_between_calls_and_is_each_models_own(several: Path) -> None:
    one, two = models.add("one", several), models.add("two", several)
    assert [one(by, signature="add") for by in (1, 2, 3)] == [1, 3, 6]
    assert two(5, signature="add") == 5
    assert one(signature="reset") == 0
    assert one(1, signature="add") == 1
    assert two(1, signature="add") == 6


def test_a_model_without_variables_and_one_without_any_signature_name(tmp_path: Path) -> None:
    module = tf.Module()
    function = tf.function(lambda x: x + 1.0).get_concrete_function(tf.TensorSpec([None], tf.float32, name="x"))
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=function)
    np.testing.assert_array_equal(models.add("net", tmp_path / "net")([1.0]), [2.0])


def functional() -> Any:
    inputs = keras.Input((2,), name="features")
    hidden = keras.layers.Dense(3, activation="tanh")(inputs)
    hidden = keras.layers.BatchNormalization()(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, name="score")(hidden))


def test_keras_export_answers_as_the_model_does(tmp_path: Path) -> None:
    network = functional()
    network.export(str(tmp_path / "net"), verbose=False)
    model = models.add("net", tmp_path / "net")
    np.testing.assert_allclose(model(X), network(X), rtol=1e-6, atol=1e-6)
    assert {"serve", "serving_default"} <= set(model.signatures)
    assert model.mode == "graph"


def test_keras_export_of_two_inputs_is_bound_by_name(tmp_path: Path) -> None:
    left, right = keras.Input((1,), name="left"), keras.Input((1,), name="right")
    network = keras.Model({"left": left, "right": right}, keras.layers.Subtract()([left, right]))
    network.export(str(tmp_path / "net"), verbose=False)
    model = models.add("net", tmp_path / "net")
    np.testing.assert_array_equal(model(right=[[1.0]], left=[[5.0]]), [[4.0]])
    np.testing.assert_array_equal(model({"left": [[5.0]], "right": [[1.0]]}), [[4.0]])


def test_two_models_of_the_same_file_and_names_do_not_meet(tmp_path: Path) -> None:
    for name in ("a", "b"):
        functional().export(str(tmp_path / name), verbose=False)
    one, two = models.add("one", tmp_path / "a"), models.add("two", tmp_path / "b")
    again = models.add("again", tmp_path / "a")
    assert not np.allclose(one(X), two(X))
    np.testing.assert_array_equal(one(X), again(X))
    assert len({id(model.graph) for model in (one, two, again)}) == 3


def test_a_requested_device_is_asked_of_every_operation(tmp_path: Path) -> None:
    functional().export(str(tmp_path / "net"), verbose=False)
    model = models.add("net", tmp_path / "net", device="cpu")
    devices = {op.device for op in model.graph.get_operations() if op.type == "StatefulPartitionedCall"}
    assert devices == {"/device:CPU:0"}
    assert model.record()["device"] == "/device:CPU:0"


def test_a_keras_model_that_tensorflow_saved(tmp_path: Path) -> None:
    # It writes each variable twice, and restores the one that no signature uses.
    x = keras.Input((2,), name="x")
    shared = keras.layers.Dense(2)
    network = keras.Model(x, keras.layers.BatchNormalization()(shared(shared(x))))
    module = tf.Module()
    module.network = network
    module.answer = tf.function(
        lambda x: network(x, training=False), input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")]
    )
    for form, made, signatures in (("itself", network, None), ("inside", module, module.answer)):
        tf.saved_model.save(made, str(tmp_path / form), signatures=signatures)
        model = models.add(form, tmp_path / form)
        given = np.array([[1, 2], [3, 4]], np.float32)
        expected = tf.saved_model.load(str(tmp_path / form)).signatures["serving_default"](tf.constant(given))
        (value,) = expected.values()
        np.testing.assert_allclose(model(given), value, rtol=1e-6)
        np.testing.assert_allclose(model(given), network(given), rtol=1e-6)
        assert model.record()["variables"] == 6
        session.close()
        np.testing.assert_allclose(model(given), network(given), rtol=1e-6)
