"""Copies of live objects: the same answers, and from then on weights of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell, save_linear_v1
from keras_networks import functional
from reference_keras import assert_same

from tfmagic import models, session
from tfmagic.errors import ModelStateError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)
SPEC = tf.TensorSpec([None, 2], tf.float32, name="x")


def test_each_assignment_in_place_leaves_the_copy_as_it_was() -> None:
    # Large enough for buffers to be aligned, and so to be shared where somebody lets them be.
    module = tf.Module()
    module.w = tf.Variable(tf.ones([512, 512]))
    module.f = tf.function(lambda x: x @ module.w, input_signature=[tf.TensorSpec([None, 512], name="x")])
    model = models.add("net", module, copy=True)
    ones = np.ones((1, 512), np.float32)
    for change in (module.w.assign_add, module.w.assign_sub, module.w.assign):
        change(tf.fill([512, 512], 3.0))
        module.w.scatter_nd_update([[0, 0]], [99.0])
        assert set(model(ones).flat) == {512.0}
    run_cell(model, "session.run([v.assign_add(tf.ones_like(v)) for v in tf.compat.v1.global_variables()])", {"tf": tf})
    assert set(model(ones).flat) == {1024.0}
    assert float(module.w[0, 1]) == 3.0


class Two(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[2.0, 0.0], [0.0, 2.0]])
        self.calls = tf.Variable(0, trainable=False)

    @tf.function(input_signature=[SPEC])
    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1)
        return {"y": x @ self.w, "calls": self.calls.read_value()}

    @tf.function(input_signature=[SPEC, tf.TensorSpec([], name="by")])
    def scaled(self, x: Any, by: Any) -> Any:
        return (x @ self.w) * by

    @tf.function
    def loose(self, x: Any) -> Any:
        return x @ self.w - 1.0


def test_a_module_is_copied_with_each_function_that_tells_what_it_takes() -> None:
    module = Two()
    model = models.add("net", module, copy=True)
    assert list(model.signatures) == ["serving_default", "scaled"]
    assert any("without its signature 'loose'" in note for note in model.notes)
    np.testing.assert_array_equal(model.run(X).y, 2 * X)
    np.testing.assert_array_equal(model.run(x=X, by=3.0, signature="scaled").output, 6 * X)
    # Once its shapes are known it comes along.
    module.loose(X)
    models.drop("net")
    again = models.add("net", module, copy=True)
    np.testing.assert_array_equal(again.run(X, signature="loose").output, 2 * X - 1)
    assert again.record()["variables"] == 2


def test_functions_of_one_copy_share_their_weights() -> None:
    model = models.add("net", Two(), copy=True)
    run_cell(model, "session.run([v.assign(v * 5.0) for v in tf.compat.v1.trainable_variables()])", {"tf": tf})
    np.testing.assert_array_equal(model.run(X).y, 10 * X)
    np.testing.assert_array_equal(model.run(x=X, by=1.0, signature="scaled").output, 10 * X)


def test_state_that_a_function_changes_is_the_copys_own() -> None:
    module = Two()
    module(X)
    model = models.add("net", module, copy=True)
    assert [int(model.run(X).calls) for _ in range(3)] == [2, 3, 4]
    assert int(module.calls) == 1
    # Also where only another output is asked for.
    model.run(X, fetch="y")
    assert int(model.run(X, fetch="calls").calls) == 6


def test_the_default_signature_has_to_be_copied() -> None:
    with pytest.raises(SourceError, match="net: a copy needs the dtype and shape of input 'x'"):
        models.add("net", Two(), copy=True, signature="loose")
    assert list(models.add("net", Two(), copy=True, signature="scaled").signatures) == ["serving_default", "scaled"]


def test_a_function_without_a_signature_can_be_copied_once_it_was_called() -> None:
    weight = tf.Variable(3.0)
    function = tf.function(lambda x: x * weight)
    with pytest.raises(SourceError, match=r"net: a copy needs the dtype and shape of input 'x'.*input_signature"):
        models.add("net", function, copy=True)
    function(tf.ones([2, 2]))
    model = models.add("net", function, copy=True)
    np.testing.assert_array_equal(model(np.ones((5, 2), np.float32)), np.full((5, 2), 3.0))
    weight.assign(7.0)
    assert set(model(X[:1] * 0 + 1).flat) == {3.0}


def test_a_concrete_function() -> None:
    weight = tf.Variable([1.0, 2.0])
    concrete = tf.function(lambda x: {"a": x * weight, "b": x + 1.0}).get_concrete_function(SPEC)
    model = models.add("net", concrete, copy=True)
    given = model.run(X)
    assert sorted(given) == ["a", "b"]
    np.testing.assert_array_equal(given.a, X * [1, 2])
    weight.assign([0.0, 0.0])
    np.testing.assert_array_equal(model.run(X).a, X * [1, 2])


def test_constants_that_a_function_captured_come_along() -> None:
    large, text = tf.constant(np.arange(400, dtype=np.float32).reshape(2, 200)), tf.constant("yes")
    half = tf.constant([1.5, 2.5], tf.bfloat16)

    @tf.function(input_signature=[SPEC])
    def function(x: Any) -> Any:
        return {"y": x @ large, "word": tf.fill([1], text), "z": tf.cast(x, tf.bfloat16) * half}

    model = models.add("net", function, copy=True)
    given, own = model.run(X), function(X)
    np.testing.assert_array_equal(given.y, own["y"])
    assert given.word.tolist() == [b"yes"]
    assert_same([given.z], [own["z"].numpy()])
    session.close()
    assert_same([model.run(X).y], [given.y])


def test_python_that_branches_on_a_tensor_is_copied_with_both_branches() -> None:
    class Branching(tf.Module):
        def __call__(self, x: Any) -> Any:
            if tf.reduce_sum(x) > 0:
                return x * 2.0
            return x * 3.0

    whole = tf.function(Branching().__call__, input_signature=[SPEC])
    model = models.add("net", whole, copy=True)
    np.testing.assert_array_equal(model(X), 2 * X)
    np.testing.assert_array_equal(model(-X), -3 * X)


def test_variables_may_be_called_as_inputs_and_operations_are() -> None:
    module = tf.Module()
    module.x, module.mul = tf.Variable(2.0, name="x"), tf.Variable(3.0, name="mul")
    module.end, module.constant = tf.Variable(5.0, name="Identity"), tf.constant(np.ones(500, np.float32))
    module.f = tf.function(
        lambda x, captured: x * module.x + captured * module.mul + module.end + module.constant[7],
        input_signature=[tf.TensorSpec([], name="x"), tf.TensorSpec([], name="captured")],
    )
    model = models.add("net", module, copy=True)
    assert float(model(x=10.0, captured=100.0)) == 326.0
    assert model.sync() == 3


def test_two_variables_of_one_name_stay_two() -> None:
    module = tf.Module()
    module.a, module.b = tf.Variable(2.0, name="same"), tf.Variable(5.0, name="same")
    module.f = tf.function(lambda x: x * module.a - module.b, input_signature=[tf.TensorSpec([], name="x")])
    model = models.add("net", module, copy=True)
    assert float(model(3.0)) == 1.0
    assert model.record()["variables"] == 2


@pytest.mark.parametrize("kind", ["ragged", "sparse"])
def test_ragged_and_sparse_results_are_refused(kind: str) -> None:
    @tf.function(input_signature=[SPEC])
    def function(x: Any) -> Any:
        return tf.RaggedTensor.from_tensor(x) if kind == "ragged" else tf.sparse.from_dense(x)

    with pytest.raises(SourceError, match="net: signature 'serving_default' gives sparse or ragged tensors") as caught:
        models.add("net", function, copy=True)
    assert "\n" not in str(caught.value)


# -- tables ----------------------------------------------------------------------------------


def test_tables_are_copied_and_come_back() -> None:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [10.0, 20.0]), -1.0)
    module = tf.Module()
    module.table, module.w = table, tf.Variable(2.0)
    module.f = tf.function(
        lambda words: table.lookup(words) * module.w, input_signature=[tf.TensorSpec([None], tf.string, name="words")]
    )
    model = models.add("net", module, copy=True)
    words = np.array(["b", "x"], object)
    assert model(words).tolist() == [40, -2]
    module.w.assign(3.0)
    assert model(words).tolist() == [40, -2]
    session.close()
    assert model(words).tolist() == [40, -2]
    assert model.sync() == 1
    assert model(words).tolist() == [60, -3]
    models.drop("net")
    assert float(module.f(tf.constant(["a"]))[0]) == 30


def test_a_copy_of_a_graph_is_another_graph() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=2.0)
        tf.identity(x * w, name="y")
        v1.get_collection_ref("mine").append(w)
    theirs = models.add("theirs", graph)
    with pytest.raises(SourceError, match=r"net: this graph is model 'theirs' already; .*--copy"):
        models.add("net", graph)
    model = models.add("net", graph, copy=True)
    run_cell(model, "session.run(tf.compat.v1.trainable_variables()[0].assign(9.0))", {"tf": tf})
    np.testing.assert_array_equal(model(X), 9 * X)
    np.testing.assert_array_equal(theirs(X), 2 * X)
    assert model.graph is not graph
    assert len(model.graph.get_collection("mine")) == 1
    with graph.as_default():
        tf.identity(x * w + 1.0, name="z")
    assert list(model.run(X)) == ["y"]
    models.drop("theirs")
    np.testing.assert_array_equal(model(X), 9 * X)


def test_a_device_for_a_live_graph_needs_a_copy_and_holds_for_all_of_it() -> None:
    graph = tf.Graph()
    with graph.as_default(), tf.device("/gpu:3"):
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.identity(x, name="y")
    with pytest.raises(SourceError, match=r"net: .* stay on the devices .*: --device needs --copy"):
        models.add("net", graph, device="cpu:0")
    model = models.add("net", graph, device="cpu:0", copy=True)
    assert {op.device for op in model.graph.get_operations()} == {"/device:CPU:0"}
    np.testing.assert_array_equal(model(X), X)
    assert {op.device for op in graph.get_operations()} == {"/device:GPU:3"}


def test_a_copy_of_a_graph_def() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.identity(x * 2.0, name="y")
    definition = graph.as_graph_def()
    model = models.add("net", definition, copy=True)
    definition.Clear()
    np.testing.assert_array_equal(model(X), 2 * X)
    session.close()
    np.testing.assert_array_equal(model(X), 2 * X)


# -- what a copy is for, and what it costs ------------------------------------------------------


def test_sync_is_for_copies(tmp_path: Path) -> None:
    models.add("live", functional()[0])
    with pytest.raises(ModelStateError, match="live is no copy of a live object, it shares its weights with the obj"):
        models.live.sync()
    models.add("file", save_linear_v1(tmp_path / "line"))
    with pytest.raises(ModelStateError, match="file is no copy of a live object, it is a SavedModel"):
        models.file.sync()


def test_a_variable_that_took_another_shape_is_synced_with_it() -> None:
    module = tf.Module()
    module.w = tf.Variable(tf.ones([2]), shape=tf.TensorShape(None))
    module.f = tf.function(lambda x: x * module.w, input_signature=[SPEC])
    model = models.add("net", module, copy=True)
    module.w.assign(tf.ones([1, 2]) * 3)
    model.sync()
    np.testing.assert_array_equal(model(X), 3 * X)


def test_copy_is_for_live_objects(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"net: --copy is for live objects .*, and this is a SavedModel: leave it"):
        models.add("net", save_linear_v1(tmp_path / "line"), copy=True)
    functional()[0].save(tmp_path / "net.keras")
    with pytest.raises(SourceError, match=r"net: --copy is for live objects .*, and this is a Keras file"):
        models.add("net", tmp_path / "net.keras", copy=True)
    with pytest.raises(SourceError, match=r"net: --copy is for live objects .*, and this is a cell"):
        add_cell("net", "a = 1", copy=True)
    with pytest.raises(SourceError, match=r"net: --objects is for Keras files, and this is a Keras model"):
        models.add("net", functional()[0], objects=[Two])


def test_a_copy_of_a_function_with_a_ragged_input_leads_to_the_live_object() -> None:
    function = tf.function(lambda rows: tf.reduce_sum(rows, 1), [tf.RaggedTensorSpec([None, None], tf.float32)])
    with pytest.raises(SourceError, match=r"input 'rows', as one dense tensor.*ragged and nested inputs work without"):
        models.add("net", function, copy=True)
