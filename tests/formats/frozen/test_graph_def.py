"""``GraphDef`` messages that the person has read or made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear

from tfmagic import models, session
from tfmagic.errors import SourceError, UnsafeSourceError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


def linear(factor: float = 2.0, device: str = "") -> Any:
    """Return ``y = factor * x`` for rows of two."""
    with tf.Graph().as_default() as graph, tf.device(device):
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.multiply(x, tf.constant(factor, name="factor"), name="y")
    return graph.as_graph_def()


def test_it_answers_as_in_plain_tensorflow(tmp_path: Path) -> None:
    definition = v1.GraphDef.FromString(frozen_linear(tmp_path / "net.pb", 3.0, 0.5).read_bytes())
    with tf.Graph().as_default(), v1.Session() as native:
        tf.import_graph_def(definition, name="")
        expected = native.run("y:0", {"x:0": X})
    model = models.add("net", definition)
    np.testing.assert_array_equal(model(X), expected)
    assert (model.mode, model.record()["kind"]) == ("graph", "GraphDef")
    session.close()
    np.testing.assert_array_equal(model(X), expected)


def test_an_unchanged_message_is_kept_and_a_changed_one_renewed() -> None:
    definition = linear()
    first = models.add("net", definition)
    assert models.add("net", definition) is first
    definition.node.add(name="z", op="Identity", input=["y"]).attr["T"].type = tf.float32.as_datatype_enum
    second = models.add("net", definition)
    assert second is not first
    assert list(second.run(X)) == ["z"]


def test_a_change_that_leaves_the_size_as_it_was_renews_it_too() -> None:
    definition = linear(2.0)
    first = models.add("net", definition)
    (factor,) = (node for node in definition.node if node.name == "factor")
    factor.attr["value"].tensor.float_val[0] = 5.0
    second = models.add("net", definition)
    assert second is not first
    np.testing.assert_array_equal(second(X), 5 * X)


def test_the_same_content_in_another_message_is_another_object() -> None:
    first = models.add("net", linear())
    assert models.add("net", linear()) is not first
    np.testing.assert_array_equal(models.net(X), 2 * X)


def test_the_message_is_the_persons_and_stays_as_it_is() -> None:
    definition = linear(device="/device:GPU:3")
    before = definition.SerializeToString(deterministic=True)
    model = models.add("net", definition, device="cpu")
    assert definition.SerializeToString(deterministic=True) == before
    assert {node.device for node in definition.node} == {"/device:GPU:3"}
    assert {op.device for op in model.graph.get_operations()} == {"/device:CPU:0"}
    np.testing.assert_array_equal(model(X), 2 * X)


def test_a_message_that_is_changed_afterwards_leaves_the_model_as_it_was() -> None:
    definition = linear()
    model = models.add("net", definition)
    definition.Clear()
    session.close()
    np.testing.assert_array_equal(model(X), 2 * X)


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(SourceError, match="net: this GraphDef is empty, so there is nothing to run"):
        models.add("net", v1.GraphDef())


def test_a_message_that_cannot_be_imported_is_refused_in_one_line() -> None:
    definition = linear()
    definition.node[-1].input[0] = "nowhere"
    with pytest.raises(SourceError, match=r"net: the graph of .* cannot be read") as caught:
        models.add("net", definition)
    assert "\n" not in str(caught.value)
    assert len(models) == 0


def test_python_inside_needs_unsafe() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.identity(v1.py_func(lambda v: v, [x], tf.float32), name="y")
    with pytest.raises(UnsafeSourceError, match="--unsafe"):
        models.add("net", graph.as_graph_def())
    assert models.add("net", graph.as_graph_def(), unsafe=True)([2.0]).tolist() == [2.0]


def test_other_messages_are_no_models() -> None:
    with pytest.raises(SourceError, match="is no model, it is of type MetaGraphDef"):
        models.add("net", v1.MetaGraphDef())


def test_a_dropped_model_lets_go_of_the_message() -> None:
    definition = linear()
    model = models.add("net", definition)
    models.drop("net")
    assert model.source.live is None  # type: ignore[attr-defined]  # a LiveSource has it
    assert len(definition.node) == 3
