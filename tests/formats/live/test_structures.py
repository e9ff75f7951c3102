"""Live objects whose inputs or outputs are not simply one tensor each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models
from tfmagic.core.naming import unique
from tfmagic.errors import InputError
from tfmagic.execution.signature.options import Options, full_device
from tfmagic.formats.kinds import source_of

A = np.array([[1, 2], [3, 4]], np.float32)
B = np.array([[5, 6, 7], [8, 9, 0]], np.float32)
C = 2 * A


def ends(model: Any, side: str = "outputs") -> list[str]:
    return [str(spec) for spec in getattr(model.signature(), side)]


def test_a_layer_that_is_called_twice_gives_two_outputs() -> None:
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    shared = keras.layers.Dense(1, name="shared")
    network = keras.Model([left, right], [shared(left), shared(right)])
    model = models.add("net", network)
    assert ends(model) == ["shared float32 (?, 1)", "shared_1 float32 (?, 1)"]
    given = model.run(left=A, right=C)
    for one, own in zip(given.values(), network([A, C]), strict=True):
        np.testing.assert_array_equal(one, own)
    np.testing.assert_array_equal(model.run(left=A, right=C, fetch="shared_1").shared_1, given.shared_1)


def test_the_states_of_an_lstm_are_outputs() -> None:
    steps = keras.Input((4, 2), name="steps")
    network = keras.Model(steps, keras.layers.LSTM(3, return_state=True, return_sequences=True, name="cell")(steps))
    model = models.add("net", network)
    assert ends(model) == ["cell float32 (?, 4, 3)", "cell_1 float32 (?, 3)", "cell_2 float32 (?, 3)"]
    given = model.run(np.ones((1, 4, 2), np.float32))
    for one, own in zip(given.values(), network(np.ones((1, 4, 2), np.float32)), strict=True):
        np.testing.assert_array_equal(one, own)


def test_outputs_in_a_dict_have_their_own_shapes() -> None:
    inputs = keras.Input((2,), name="x")
    network = keras.Model(inputs, {"z": keras.layers.Dense(3)(inputs), "k": keras.layers.Dense(5)(inputs)})
    model = models.add("net", network)
    assert sorted(ends(model)) == ["k float32 (?, 5)", "z float32 (?, 3)"]
    given, own = model.run(A), network(A)
    for name in ("k", "z"):
        np.testing.assert_array_equal(given[name], own[name])


def test_outputs_in_a_nested_dict() -> None:
    inputs = keras.Input((2,), name="x")
    one, two = keras.layers.Dense(3)(inputs), keras.layers.Dense(5)(inputs)
    network = keras.Model(inputs, {"z": {"y": one, "x": two}, "k": [two, one]})
    model = models.add("net", network)
    given, own = model.run(A), network(A)
    assert (
        sorted(given) == ["k_output_0", "k_output_1", "z_x", "z_y"] == sorted(s.name for s in model.signature().outputs)
    )
    np.testing.assert_array_equal(given.z_y, own["z"]["y"])
    np.testing.assert_array_equal(given.k_output_1, own["k"][1])


def test_names_are_made_unique() -> None:
    assert unique(["a", "a", "b", "a"]) == ["a", "a_1", "b", "a_2"]
    assert unique(["a", "a_1", "a"]) == ["a", "a_1", "a_2"]
    assert unique(["a", "a", "a_1"]) == ["a", "a_2", "a_1"]


def test_the_keys_of_a_dict_of_inputs_are_their_names() -> None:
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    with pytest.warns(UserWarning, match="all keys in the dict must match"):
        network = keras.Model({"q": left, "p": right}, keras.layers.Concatenate()([left, right]))
    model = models.add("net", network)
    assert sorted(ends(model, "inputs")) == ["p float32 (?, 3)", "q float32 (?, 2)"]
    np.testing.assert_array_equal(model(q=A, p=B), np.concatenate([A, B], 1))
    np.testing.assert_array_equal(model({"q": A, "p": B}), np.concatenate([A, B], 1))


class AddIfGiven(keras.layers.Layer):
    def call(self, x: Any, y: Any = None) -> Any:
        return x if y is None else x + y

    def compute_output_shape(self, x_shape: Any, y_shape: Any = None) -> Any:
        del y_shape
        return x_shape


@pytest.mark.parametrize("form", ["dict", "list"])
def test_an_optional_input_may_be_left_out(form: str) -> None:
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y", optional=True)
    model = models.add("net", keras.Model({"x": x, "y": y} if form == "dict" else [x, y], AddIfGiven()(x, y)))
    assert [spec.name for spec in model.signature().required] == ["x"]
    np.testing.assert_array_equal(model(A), A)
    np.testing.assert_array_equal(model(x=A, y=A), 2 * A)


class Two(keras.Model):
    def call(self, a: Any, b: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
        return a - b + (100.0 if training else 0.0)


def test_a_subclass_with_two_arguments_has_two_inputs() -> None:
    model = models.add("net", Two())
    assert ends(model, "inputs") == ["a", "b"]
    np.testing.assert_array_equal(model(b=A, a=C), A)
    with pytest.raises(InputError, match="net needs input 'b': give b=…"):
        model(a=A)


class OfDict(keras.Model):
    def call(self, inputs: Any) -> Any:
        return tf.concat([inputs["a"], inputs["b"]], 1)


class OfList(keras.Model):
    def call(self, inputs: Any) -> Any:
        return tf.concat(inputs, 1)


def test_a_subclass_of_one_dict_takes_it_whole() -> None:
    model = models.add("net", OfDict())
    expected = np.concatenate([A, B], 1)
    np.testing.assert_array_equal(model({"a": A, "b": B}), expected)
    np.testing.assert_array_equal(model(inputs={"a": A, "b": B}), expected)
    np.testing.assert_array_equal(model({"inputs": {"a": A, "b": B}}), expected)
    rows = tf.data.Dataset.from_tensor_slices({"a": A, "b": B}).batch(1)
    np.testing.assert_array_equal(model(rows), expected)


@pytest.mark.parametrize("other", [B, C], ids=["of another width", "of the same width"])
def test_a_subclass_of_one_list_takes_it_whole(other: Any) -> None:
    model = models.add("net", OfList())
    for given in ([A, other], (A, other), [tf.constant(A), other]):
        np.testing.assert_array_equal(model(given), np.concatenate([A, other], 1))


def test_a_concrete_function_with_python_arguments_runs() -> None:
    def scaled(mode: str, x: Any, factor: int = 1) -> Any:
        return x * float(factor) if mode == "b" else x

    concrete = tf.function(scaled).get_concrete_function("b", tf.TensorSpec([None]), 5)
    model = models.add("net", concrete)
    assert ends(model, "inputs") == ["x float32 (?,)"]
    assert model([1.0]).tolist() == [5]


def test_a_function_of_a_dict_has_its_keys_for_inputs() -> None:
    spec = {"a": tf.TensorSpec([None]), "b": tf.TensorSpec([])}
    function = tf.function(lambda d: d["a"] - d["b"], input_signature=[spec])
    model = models.add("net", function)
    assert ends(model, "inputs") == ["a float32 (?,)", "b float32 ()"]
    assert model({"a": [5.0], "b": 1}).tolist() == [4]
    assert model(a=np.array([5.0]), b=1).tolist() == [4]
    concrete = models.add("other", function.get_concrete_function())
    assert concrete(a=[5.0], b=1).tolist() == [4]


def test_a_function_of_nested_structures_takes_them_whole() -> None:
    spec = {"a": tf.TensorSpec([None]), "b": [tf.TensorSpec([None]), (tf.TensorSpec([None]),)]}
    function = tf.function(
        lambda d, e: d["a"] + d["b"][0] + d["b"][1][0] + e, input_signature=[spec, tf.TensorSpec([])]
    )
    model = models.add("net", function)
    assert model(d={"a": np.array([1.0]), "b": [np.array([2.0]), (np.array([3.0]),)]}, e=4).tolist() == [10]


def test_functions_of_ragged_and_sparse_tensors() -> None:
    ragged = tf.function(lambda r: tf.reduce_sum(r, 1), input_signature=[tf.RaggedTensorSpec([None, None])])
    model = models.add("net", ragged)
    assert model(tf.ragged.constant([[1.0], [2.0, 3.0]])).tolist() == [1, 5]
    assert model([[1.0, 2.0], [3.0, 4.0]]).tolist() == [3, 7]
    sparse = tf.function(tf.sparse.reduce_sum, input_signature=[tf.SparseTensorSpec([None, None])])
    model = models.add("other", sparse)
    assert float(model(tf.sparse.from_dense([[1.0, 0.0]]))) == 1
    assert float(model(np.array([[1.0, 2.0]]))) == 3


def test_a_model_with_another_layer_is_no_longer_the_same() -> None:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    before = models.admit("net", source_of(network, "net"), Options())
    kept = models.admit("net", source_of(network, "net"), Options())
    network.add(keras.layers.Dense(7, name="last"))
    after = models.admit("net", source_of(network, "net"), Options())
    assert (before.outcome, kept.outcome, after.outcome) == ("added", "kept", "renewed")
    assert ends(models.net) == ["last float32 (?, 7)"]


def test_a_model_is_not_held_to_the_rows_that_it_was_first_called_with() -> None:
    network = keras.Sequential([keras.layers.Rescaling(2.0)])
    first = models.admit("net", source_of(network, "net"), Options())
    np.testing.assert_array_equal(models.net(A), 2 * A)
    again = models.admit("net", source_of(network, "net"), Options())
    assert (first.outcome, again.outcome) == ("added", "renewed")
    assert ends(models.net, "inputs")[0].endswith("float32 (?, 2)")
    np.testing.assert_array_equal(models.net(A[:1]), 2 * A[:1])


def test_a_module_with_another_function_is_no_longer_the_same() -> None:
    class Net(tf.Module):
        def __call__(self, x: Any) -> Any:
            return x

    module = Net()
    models.add("net", module, text="net")
    module.twice = tf.function(lambda x: x * 2)
    models.add("net", module, text="net")
    assert "twice" in models.net.signatures


def test_a_gpu_that_is_not_here_is_noted() -> None:
    model = models.add("net", keras.layers.Rescaling(2.0), device="gpu:0")
    noted = "there is no GPU here, it runs on the CPU" in model.notes
    assert noted is not bool(tf.config.list_physical_devices("GPU"))
    np.testing.assert_array_equal(model(A), 2 * A)


@pytest.mark.parametrize("device", ["banana", "banana:1", "/device:BANANA:0"])
def test_an_unknown_kind_of_device_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match=r"is no device: expected cpu, gpu.*this machine has: cpu"):
        full_device(device)
