"""Signatures that are not the usual ones: broken, of sparse and ragged tensors, or none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import refused
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models
from tfmagic.formats.kinds import inspect_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2]], np.float32)


def info(tensor: Any) -> Any:
    return v1.saved_model.build_tensor_info(tensor)


def saved(folder: Path, signatures: Callable[[Any, Any], dict[str, Any]]) -> Path:
    """Save ``y = x @ w`` with these signatures, given as pairs of inputs and outputs."""
    with tf.Graph().as_default(), v1.Session() as native:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=np.ones((2, 1), np.float32))
        found = signatures(x, tf.matmul(x, w, name="y"))
        native.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        definitions = {name: v1.saved_model.build_signature_def(*ends) for name, ends in found.items()}
        builder.add_meta_graph_and_variables(native, ["serve"], definitions)
        builder.save()
    return folder


def named(name: str) -> Any:
    """Return what a file says of a tensor that may not be there."""
    return v1.MetaGraphDef().signature_def["s"].outputs["y"].__class__(name=name, dtype=1)


@pytest.mark.parametrize("name", ["y", "z:0", "y:1", ""])
def test_one_bad_signature_is_left_out_with_a_note(tmp_path: Path, name: str) -> None:
    folder = saved(
        tmp_path / "net",
        lambda x, y: {
            "serving_default": ({"x": info(x)}, {"y": info(y)}),
            "count": ({"x": info(x)}, {"n": named(name)}),
        },
    )
    model = models.add("net", folder)
    assert model(X).tolist() == [[3]]
    assert list(model.signatures) == ["serving_default"]
    assert any(note.startswith("signature 'count' ") and note.count("left out") == 1 for note in model.notes)
    assert models.add("net", folder, signature="serving_default")(X).tolist() == [[3]]
    models.drop("net")
    refused(folder, "net: signature 'count' .* is left out", signature="count")


def test_a_default_signature_that_is_bad_is_refused_with_the_reason(tmp_path: Path) -> None:
    def signatures(x: Any, y: Any) -> dict[str, Any]:
        good = ({"x": info(x)}, {"y": info(y)})
        return {"serving_default": ({"x": info(x)}, {"n": named("z:0")}), "one": good, "two": good}

    folder = saved(tmp_path / "net", signatures)
    reason = "net: signature 'serving_default' names 'z:0' for 'n', which its graph does not have"
    refused(folder, rf"{reason}.*; --signature chooses another \(one, two\)")
    assert models.add("net", folder, signature="two")(X).tolist() == [[3]]


def test_a_signature_that_needs_a_custom_operation_is_left_out(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "net",
        lambda x, y: {
            "serving_default": ({"x": info(x)}, {"y": info(y)}),
            "other": ({"x": info(x)}, {"z": info(tf.sqrt(y, "old"))}),
        },
    )
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    next(node for node in message.meta_graphs[0].graph_def.node if node.name == "old").op = "SomeContribOp"
    file.write_bytes(message.SerializeToString())
    model = models.add("net", folder)
    assert model(X).tolist() == [[3]]
    assert any("'other' needs the custom operation 'SomeContribOp'" in note for note in model.notes)
    models.drop("net")
    refused(folder, "needs the custom operation 'SomeContribOp'", signature="other")


def sparse_model(folder: Path) -> Path:
    def signatures(_x: Any, _y: Any) -> dict[str, Any]:
        x = v1.sparse_placeholder(tf.float32, [None, 3], "sp")
        dense = tf.sparse.sparse_dense_matmul(x, tf.ones([3, 1]))
        return {"serving_default": ({"x": info(x)}, {"y": info(dense), "same": info(x * 2.0)})}

    return saved(folder, signatures)


def test_a_sparse_input_or_output_is_one_for_each_of_its_parts(tmp_path: Path) -> None:
    folder = sparse_model(tmp_path / "net")
    model = models.add("net", folder)
    assert [spec.name for spec in model.signature().inputs] == ["x_indices", "x_values", "x_dense_shape"]
    assert [spec.name for spec in model.signature().outputs] == [
        *("same_indices", "same_values", "same_dense_shape", "y"),
    ]
    parts: dict[str, Any] = {"x_indices": [[0, 1]], "x_values": [5.0], "x_dense_shape": [1, 3]}
    given = {name: np.array(value, np.float32 if name == "x_values" else np.int64) for name, value in parts.items()}
    sparse = tf.SparseTensor([[0, 1]], [5.0], [1, 3])
    answers = [model.run(**parts), model.run(parts), model.run(sparse), model.run(x=sparse), model.run({"x": sparse})]
    plain = tf.saved_model.load(str(folder)).signatures["serving_default"]
    expected = plain(**{name: tf.constant(value) for name, value in given.items()})
    for answer in answers:
        np.testing.assert_array_equal(answer["y"], expected["y"])
        np.testing.assert_array_equal(answer["same_values"], expected["same"].values)
    namespace: dict[str, Any] = {}
    exec(model.python(), namespace)  # noqa: S102 - the code that is shown
    assert namespace["net"](**given)["y"].tolist() == [[5]]


class Ragged(tf.Module):
    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])
    def ragged(self, x: Any) -> Any:
        return {"twice": x * 2.0}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x: Any) -> Any:
        return x + 1.0


def test_a_ragged_output_is_one_for_each_of_its_parts(tmp_path: Path) -> None:
    module = Ragged()
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=module.ragged)
    answer = models.add("net", tmp_path / "net").run(x=[1.0, 2.0], x_1=[0, 2])
    assert answer["twice_flat_values"].tolist() == [2, 4]
    assert answer["twice_row_splits"].tolist() == [0, 2]


def test_without_signatures_it_says_what_to_type(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    tf.saved_model.save(Ragged(), str(folder))
    hint = r"no signature .*%tf_model add {} \(tf\.saved_model\.load\(.*net.\)\)"
    refused(folder, hint.format("net"))
    assert any("%tf_model add NAME (tf.saved_model.load(" in note for note in inspect_path(folder)["notes"])
    assert models.add("net", tf.saved_model.load(str(folder)))([1.0]).tolist() == [2]


def test_tensors_are_named_in_a_graph_of_tf1_without_signatures(tmp_path: Path) -> None:
    folder = saved(tmp_path / "net", lambda _x, _y: {})
    refused(folder, "no signature that can be called: name its tensors, as --inputs x=op:0 --outputs y=op:0")
    assert models.add("net", folder, inputs="x", outputs="y")(X).tolist() == [[3]]
    assert models.add("net", folder, outputs="y")(X).tolist() == [[3]]
    models.drop("net")
    refused(folder, "there is no tensor 'z'", outputs="z")


def test_a_folder_with_variables_and_no_function_says_so(tmp_path: Path) -> None:
    module = tf.Module()
    module.v = tf.Variable([1.0])
    tf.saved_model.save(module, str(tmp_path / "net"))
    refused(tmp_path / "net", "net: .* has no signature .*: it has variables and no function")
