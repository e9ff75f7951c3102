"""Graphs written as text: frozen ones (``.pbtxt``), and SavedModels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, refused, save_linear_v1, save_v2
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models, session
from tfmagic.errors import UnsafeSourceError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


def frozen_text(file: Path, **more: Any) -> Path:
    """Write ``y = 3 * x + 0.5`` for rows of two, frozen, as text."""
    definition = v1.GraphDef.FromString(frozen_linear(file.with_suffix(".pb"), 3.0, 0.5).read_bytes())
    file.write_text(text_format.MessageToString(definition, **more))
    return file


def saved_as_text(folder: Path) -> Path:
    """Write the graph of a SavedModel anew, as text."""
    message = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(message))
    (folder / "saved_model.pb").unlink()
    return folder


def test_a_text_graph_answers_as_in_plain_tensorflow(tmp_path: Path) -> None:
    file = frozen_text(tmp_path / "net.pbtxt")
    definition = text_format.Parse(file.read_text(), v1.GraphDef())
    with tf.Graph().as_default(), v1.Session() as native:
        tf.import_graph_def(definition, name="")
        expected = native.run("y:0", {"x:0": X})
    model = models.add("net", file)
    np.testing.assert_array_equal(model(X), expected)
    assert model.record()["kind"] == "frozen graph"
    session.close()
    np.testing.assert_array_equal(model(X), expected)


def test_what_write_graph_writes(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        # Bytes that text has to escape, and letters beyond ASCII.
        word = tf.constant('a "quoted" \\ word, \n\x00 ü 図', name="word")
        tf.strings.join([tf.strings.as_string(x), tf.fill(tf.shape(x), word)], name="y")
    tf.io.write_graph(graph, str(tmp_path), "net.pbtxt", as_text=True)
    answer = models.add("net", tmp_path / "net.pbtxt")(X)
    assert answer[0, 0] == '1.000000a "quoted" \\ word, \n\x00 ü 図'.encode()


def test_a_function_and_numbers_come_through_text_to_the_last_bit(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = tf.matmul(x, tf.constant(weights))
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: y * 0.1, lambda: y / 3.0), name="y")
    (tmp_path / "net.pbtxt").write_text(text_format.MessageToString(graph.as_graph_def()))
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    text, binary = models.add("text", tmp_path / "net.pbtxt"), models.add("binary", tmp_path / "net.pb")
    for given in (X, -X):
        assert text(given).tobytes() == binary(given).tobytes()


def test_comments_and_one_line_are_text_too(tmp_path: Path) -> None:
    file = frozen_text(tmp_path / "net.pbtxt", as_one_line=True)
    file.write_text(f"# a comment\n\n{file.read_text()}\n")
    np.testing.assert_array_equal(models.add("net", file)(X), 3 * X + 0.5)


def test_a_changed_text_is_renewed(tmp_path: Path) -> None:
    file = frozen_text(tmp_path / "net.pbtxt")
    first = models.add("net", file)
    assert models.add("net", file) is first
    file.write_text(file.read_text().replace("float_val: 3", "float_val: 5"))
    np.testing.assert_array_equal(models.add("net", file)(X), 5 * X + 0.5)


@pytest.mark.parametrize("content", ["# nothing\n", "versions { producer: 1 }"])
def test_a_text_without_a_graph(tmp_path: Path, content: str) -> None:
    (tmp_path / "net.pbtxt").write_text(content)
    refused(tmp_path / "net.pbtxt", "holds no graph")


@pytest.mark.parametrize("content", ["node {", "node { nam: 'x' }", "a text", "node { name: 3 }", "{}"])
def test_damaged_text(tmp_path: Path, content: str) -> None:
    (tmp_path / "net.pbtxt").write_text(content)
    refused(tmp_path / "net.pbtxt", "the graph of .*net.pbtxt cannot be read, it may be damaged")


def test_text_cut_short(tmp_path: Path) -> None:
    file = frozen_text(tmp_path / "net.pbtxt")
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    refused(file, "cannot be read, it may be damaged")


def test_the_other_kind_under_the_name(tmp_path: Path) -> None:
    binary = frozen_linear(tmp_path / "net.pb")
    binary.rename(tmp_path / "net.pbtxt")
    refused(tmp_path / "net.pbtxt", r"net.pbtxt is a frozen graph \(GraphDef\): name it NAME.pb")
    frozen_text(tmp_path / "other.pbtxt").rename(tmp_path / "text.pb")
    refused(tmp_path / "text.pb", r"text.pb is a graph as text: name it NAME.pbtxt")


def test_python_inside_needs_unsafe(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.identity(v1.py_func(lambda v: v, [x], tf.float32), name="y")
    (tmp_path / "net.pbtxt").write_text(text_format.MessageToString(graph.as_graph_def()))
    with pytest.raises(UnsafeSourceError, match="--unsafe"):
        models.add("net", tmp_path / "net.pbtxt")


def test_it_can_be_looked_at(tmp_path: Path) -> None:
    record = models.inspect(frozen_text(tmp_path / "net.pbtxt"))
    assert record["kind"] == "frozen graph"
    assert any("placeholders: x" in note for note in record["notes"])


# -- SavedModels as text ---------------------------------------------------------


def test_a_saved_model_as_text(tmp_path: Path) -> None:
    expected = models.add("binary", save_linear_v1(tmp_path / "binary", 3.0))(X)
    folder = saved_as_text(save_linear_v1(tmp_path / "net", 3.0))
    model = models.add("net", folder)
    np.testing.assert_array_equal(model(X), expected)
    assert model.record()["kind"] == "SavedModel"
    np.testing.assert_array_equal(models.add("file", folder / "saved_model.pbtxt")(X), expected)
    assert models.inspect(folder)["kind"] == "SavedModel"


def test_a_v2_saved_model_as_text(tmp_path: Path) -> None:
    weight = tf.Variable(3.0)
    folder = save_v2(tmp_path / "net", lambda x: {"y": x * weight}, tf.TensorSpec([None, 2], name="x"), weight=weight)
    np.testing.assert_array_equal(models.add("net", saved_as_text(folder))(X), 3 * X)


def test_a_saved_model_that_has_both_is_read_as_tensorflow_reads_it(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net", 3.0)
    (folder / "saved_model.pbtxt").write_text("damaged {")
    np.testing.assert_array_equal(models.add("net", folder)(X), 3 * X + 1)


def test_versions_of_saved_models_as_text(tmp_path: Path) -> None:
    for version in (1, 2):
        saved_as_text(save_linear_v1(tmp_path / "net" / str(version), float(version)))
    np.testing.assert_array_equal(models.add("net", tmp_path / "net")(X), 2 * X + 1)


def test_a_damaged_saved_model_as_text(tmp_path: Path) -> None:
    folder = saved_as_text(save_linear_v1(tmp_path / "net"))
    (folder / "saved_model.pbtxt").write_text("meta_graphs {")
    refused(folder, r"saved_model\.pbtxt cannot be read, it may be damaged")
