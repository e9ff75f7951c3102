"""Live ``tf.Module``, ``tf.function``, ``ConcreteFunction`` and ``tf.Graph``."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import save_v2, scale_graph
from tensorflow.python.eager import context

from tfmagic import models, session
from tfmagic.errors import InputError, SourceError, UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


class Scale(tf.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = tf.Variable(factor)

    @tf.function
    def __call__(self, x: Any, power: int = 1) -> Any:
        return self.factor * x**power

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.float32)])
    def shifted(self, x: Any, by: Any) -> dict[str, Any]:
        return {"y": self.factor * x + by}


def test_a_module_is_called_and_shares_its_weights() -> None:
    module = Scale(2.0)
    model = models.add("net", module)
    np.testing.assert_array_equal(model(X), 2 * X)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(tf.constant(X)))
    module.factor.assign_sub(tape.gradient(loss, module.factor))
    np.testing.assert_array_equal(model(X), -1 * X)
    assert model.record()["variables"] == 1
    assert (model.mode, model.live) == ("eager", module)


def test_every_tf_function_of_a_module_is_a_signature() -> None:
    model = models.add("net", Scale(3.0))
    assert sorted(model.signatures) == ["serving_default", "shifted"]
    given = model.run(x=X, by=1.0, signature="shifted")
    np.testing.assert_array_equal(given.y, 3 * X + 1)
    with pytest.raises(InputError, match=r"net: input 'x' takes float32 \(\?,\), got \(2, 1\)"):
        model.run(x=X.reshape(2, 1), by=1.0, signature="shifted")
    np.testing.assert_array_equal(models.add("other", Scale(3.0), signature="shifted")(x=X, by=0.0), 3 * X)


def test_a_property_of_a_module_that_raises_is_no_signature() -> None:
    class Unbuilt(tf.Module):
        @property
        def shape(self) -> Any:
            msg = "no shape yet"
            raise ValueError(msg)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def double(self, x: Any) -> Any:
            return 2 * x

    model = models.add("net", Unbuilt(), signature="double")
    np.testing.assert_array_equal(model([1.0]), [2.0])


def test_what_saved_model_load_gives_is_a_module(tmp_path: Path) -> None:
    folder = save_v2(tmp_path / "net", lambda x: {"y": x + 1.0}, tf.TensorSpec([None], tf.float32, name="x"))
    model = models.add("net", tf.saved_model.load(str(folder)))
    np.testing.assert_array_equal(model(X), X + 1)
    np.testing.assert_array_equal(model.run(x=X).y, X + 1)


def test_a_module_with_nothing_to_call_is_refused() -> None:
    with pytest.raises(SourceError, match=r"this Module has no __call__, no tf\.function and no signatures"):
        models.add("net", tf.Module())


def test_a_tf_function_without_a_signature_takes_any_shape() -> None:
    weight = tf.Variable(2.0)

    @tf.function
    def double(x: Any, *, offset: float = 0.0) -> Any:
        return weight * x + offset

    model = models.add("net", double)
    np.testing.assert_array_equal(model(X), 2 * X)
    np.testing.assert_array_equal(model(x=X, offset=1.0), 2 * X + 1)
    weight.assign(5.0)
    np.testing.assert_array_equal(model(X.reshape(2, 1)), 5 * X.reshape(2, 1))


def test_a_tf_function_with_a_signature_is_checked() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="rows")])
    def total(rows: Any) -> Any:
        return tf.reduce_sum(rows)

    model = models.add("net", total)
    assert float(model([[1.0, 2.0]])) == 3.0
    with pytest.raises(InputError, match=r"net: input 'rows' takes float32 \(\?, 2\), got \(3,\)"):
        model([1.0, 2.0, 3.0])


def test_a_concrete_function() -> None:
    weight = tf.Variable([2.0])

    def two(left: Any, right: Any) -> dict[str, Any]:
        return {"sum": weight * (left + right), "difference": weight * (left - right)}

    spec = tf.TensorSpec([None], tf.float32)
    concrete = tf.function(two).get_concrete_function(spec, spec)
    model = models.add("net", concrete)
    given = model.run(right=[1.0], left=[4.0])
    assert (given.sum.tolist(), given.difference.tolist()) == ([10.0], [6.0])
    weight.assign([1.0])
    assert model.run(right=[1.0], left=[4.0], fetch="sum").sum.tolist() == [5.0]
    assert model.record()["variables"] == 1


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (lambda x: (x, 2.0 * x), ["output_0", "output_1"]),
        (lambda x: [x], ["output_0"]),
        (lambda x: {"a": {"b": x, "c": x}}, ["a_b", "a_c"]),
        (lambda x: x, ["output"]),
    ],
)
def test_results_of_any_structure_have_names(result: Any, names: list[str]) -> None:
    assert list(models.add("net", tf.function(result)).run(X)) == names


def test_a_graph_is_its_own_room() -> None:
    graph, _, y = scale_graph(2.0)
    with graph.as_default():
        w = v1.get_variable("w", initializer=tf.constant([10.0]))
        tf.add(y, w, name="z")
    model = models.add("net", graph)
    assert model.graph is graph
    assert model.mode == "graph"
    np.testing.assert_array_equal(model(X), 2 * X + 10)
    assert "start from their initialisers" in model.notes[0]
    with graph.as_default():
        session.run(w.assign([0.0]))
    np.testing.assert_array_equal(model(X), 2 * X)


def test_a_graph_is_the_room_of_one_model() -> None:
    graph, _, _ = scale_graph(2.0)
    models.add("net", graph)
    with pytest.raises(SourceError, match="other: this graph is model 'net' already"):
        models.add("other", graph)
    np.testing.assert_array_equal(models.net(X), 2 * X)
    models.drop("net")
    np.testing.assert_array_equal(models.add("other", graph)(X), 2 * X)


def test_an_empty_graph_is_refused() -> None:
    with pytest.raises(SourceError, match="this graph is empty"):
        models.add("net", tf.Graph())


@pytest.mark.parametrize("wrong", [3, [1, 2], {"a": 1}, None, np.zeros(3), lambda x: x])
def test_what_is_no_model_is_refused_with_its_type(wrong: object) -> None:
    with pytest.raises(SourceError, match=rf"it is of type {type(wrong).__name__}: expected a path, a Keras model"):
        models.add("net", wrong)
    assert len(models) == 0


def test_an_unknown_signature_of_a_live_object_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"net has no signature 'shiftd' \(did you mean 'shifted'\?\)"):
        models.add("net", Scale(1.0), signature="shiftd")
    assert "net" not in models


def test_a_device_is_asked_of_eager_operations() -> None:
    asked: list[str] = []

    class Where(tf.Module):
        def __call__(self, x: Any) -> Any:
            asked.append(context.context().device_name)
            return x + 1.0

    models.add("net", Where(), device="cpu:0")(X)
    models.add("anywhere", Where())(X)
    assert asked[0].endswith("device:CPU:0")
    assert not asked[1]


def test_bare_numbers_and_lists_have_tensorflows_dtypes_where_none_is_known() -> None:
    model = models.add("net", tf.function(lambda x: tf.zeros([1]) + x))
    assert model(1.5).tolist() == [1.5]
    assert model([1.5, 2.5]).tolist() == [1.5, 2.5]


def test_an_object_whose_variables_are_gone_can_be_listed_and_dropped() -> None:
    def short_lived() -> Any:
        weight = tf.Variable([2.0])
        concrete = tf.function(lambda x: weight * x).get_concrete_function(tf.TensorSpec([1], tf.float32))
        assert models.add("net", concrete).record()["variables"] == 1
        return concrete

    short_lived()
    gc.collect()
    assert models.records()[0]["weights_bytes"] is None
    models.drop("net")
