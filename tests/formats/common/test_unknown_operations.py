"""Operations that TensorFlow does not have count for nothing, where the chosen outputs do without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow, refused

from tfmagic import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def definition_of(build: Callable[[], Any]) -> Any:
    with tf.Graph().as_default() as graph:
        build()
    return graph.as_graph_def()


def tripled() -> Any:
    return tf.multiply(v1.placeholder(tf.float32, [None], "x"), 3.0, "y")


def spoil(definition: Any, name: str) -> None:
    """Give a node an operation that nobody has."""
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    (node,) = (node for node in nodes if node.name == name)
    node.op = "SomeContribOp"


@pytest.mark.parametrize("suffix", ["pb", "pbtxt", None])
def test_only_what_the_outputs_need_is_read(tmp_path: Path, suffix: str | None) -> None:
    definition = definition_of(lambda: tf.negative(tf.sqrt(tripled(), "old"), "after"))
    spoil(definition, "old")
    source: Any = definition
    if suffix is not None:
        source = tmp_path / f"net.{suffix}"
        source.write_bytes(definition.SerializeToString()) if suffix == "pb" else source.write_text(str(definition))
    refused(source, "needs the custom operation 'SomeContribOp'.*--outputs")
    refused(source, "needs the custom operation 'SomeContribOp'", outputs="after")
    model = models.add("net", source, outputs="y")
    np.testing.assert_array_equal(model(X), 3 * X)
    assert any("'SomeContribOp'" in note for note in model.notes)
    np.testing.assert_array_equal(model(X), 3 * X)


def test_large_constants_stay_in_their_places(tmp_path: Path) -> None:
    weights = np.arange(3_000_000, dtype=np.float32).reshape(2, -1)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.sqrt(x, "old")
        tf.matmul(x, tf.constant(weights), name="y")

    definition = definition_of(build)
    spoil(definition, "old")
    (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(models.add("net", tmp_path / "net.pb", outputs="y")(x), x @ weights)


def test_an_input_that_such_an_operation_gives_becomes_a_placeholder() -> None:
    definition = definition_of(lambda: tf.multiply(tf.sqrt(v1.placeholder(tf.float32, [None], "raw"), "x"), 3.0, "y"))
    spoil(definition, "x")
    refused(definition, "needs the custom operation 'SomeContribOp'", outputs="y")
    np.testing.assert_array_equal(models.add("net", definition, inputs="x", outputs="y")(X), 3 * X)


def test_a_function_that_needs_one_goes_too() -> None:
    def build() -> None:
        y = tripled()
        with control_flow(v2=True):
            tf.cond(tf.reduce_sum(y) > 0, lambda: tf.sqrt(y, "old"), lambda: y)

    definition = definition_of(build)
    spoil(
        definition, next(node.name for one in definition.library.function for node in one.node_def if node.op == "Sqrt")
    )
    np.testing.assert_array_equal(models.add("net", definition, outputs="y")(X), 3 * X)


def test_a_checkpoint_with_one_in_what_is_only_for_training(tmp_path: Path) -> None:
    with control_flow(v2=False), tf.Graph().as_default(), v1.Session() as native:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=3.0)
        y = tf.multiply(x, w, "y")
        old = tf.sqrt(y, "old")
        chosen = tf.cond(tf.reduce_sum(old) > 0, lambda: old, lambda: y)
        v1.add_to_collection("losses", chosen)
        v1.get_variable("later", initializer=old, validate_shape=False, trainable=False)
        native.run(w.initializer)
        v1.train.Saver([w]).save(native, str(tmp_path / "net"))
    meta = v1.MetaGraphDef.FromString((tmp_path / "net.meta").read_bytes())
    spoil(meta.graph_def, "old")
    (tmp_path / "net.meta").write_bytes(meta.SerializeToString())
    refused(tmp_path / "net", "needs the custom operation 'SomeContribOp'")
    np.testing.assert_array_equal(models.add("net", tmp_path / "net", outputs="y")(X), 3 * X)
