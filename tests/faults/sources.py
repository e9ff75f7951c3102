"""Good models, one of each kind of source, from which mutants are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1


def _network(words: Path | None = None) -> tuple[Any, Any]:
    """Build a graph with variables, a table, a loop, a branch and a constant; return its input and its output."""
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    weights = v1.get_variable("weights", initializer=np.ones((3, 2), np.float32))
    bias = v1.get_variable("bias", initializer=np.zeros(2, np.float32), use_resource=True)
    hidden = tf.nn.relu(x @ weights + bias, name="hidden")
    _, looped = tf.while_loop(lambda i, _: i < 2, lambda i, value: (i + 1, value * 1.5), [tf.constant(0), hidden])
    content = (
        tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
        if words is None
        else tf.lookup.TextFileInitializer(str(words), tf.string, -2, tf.int64, -1)
    )
    table = tf.lookup.StaticHashTable(content, default_value=-1)
    index = tf.cast(table.lookup(tf.constant(["b"])), tf.float32)
    branched = tf.cond(tf.size(x) > 100, lambda: looped * 2.0, lambda: looped + index)
    return x, tf.identity(branched + np.arange(2, dtype=np.float32), name="y")


def saved_model_1(folder: Path) -> Path:
    """Write a SavedModel as TensorFlow 1 does, with a table and its asset."""
    path = folder / "saved_model_1"
    words = folder / "words.txt"
    words.write_text("a\nb\nc\n")
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x, y = _network(words)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y)}, "predict")
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            assets_collection=graph.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    return path


class _Counter(tf.Module):
    def __init__(self) -> None:
        self.weights = tf.Variable(np.ones((3, 2), np.float32))
        self.calls = tf.Variable(0, trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x: Any) -> dict[str, Any]:
        self.calls.assign_add(1)
        looped = tf.map_fn(lambda row: row * 2.0, x)
        return {"y": tf.nn.softmax(looped @ self.weights)}


def saved_model_2(folder: Path) -> Path:
    """Write a SavedModel as TensorFlow 2 does, with functions, a loop and state."""
    path = folder / "saved_model_2"
    module = _Counter()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


def _frozen() -> Any:
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        weights = v1.get_variable("weights", initializer=np.ones((3, 2), np.float32))
        _, looped = tf.while_loop(
            lambda i, _: i < 2, lambda i, value: (i + 1, value * 1.5), [tf.constant(0), x @ weights]
        )
        tf.identity(looped, name="y")
        session.run(v1.global_variables_initializer())
        return v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y"])


def frozen(folder: Path) -> Path:
    """Write a frozen graph."""
    path = folder / "frozen.pb"
    path.write_bytes(_frozen().SerializeToString())
    return path


def frozen_text(folder: Path) -> Path:
    """Write a frozen graph as text."""
    tf.io.write_graph(_frozen(), str(folder), "frozen.pbtxt", as_text=True)
    return folder / "frozen.pbtxt"


def checkpoint(folder: Path) -> Path:
    """Write a checkpoint of TensorFlow 1 with its ``.meta``."""
    path = folder / "checkpoint"
    path.mkdir()
    # No file for its table: a checkpoint has no assets, so a model that reads one is refused.
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        _network()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.train.Saver().save(session, str(path / "model"))
    return path


def _keras() -> Any:
    import keras

    ends = keras.Input((4, 3))
    hidden = keras.layers.LSTM(3)(ends)
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(4, activation="relu")(hidden))
    return keras.Model(ends, keras.layers.Dense(2, name="y")(hidden))


def keras_archive(folder: Path) -> Path:
    """Write a ``.keras`` file."""
    path = folder / "model.keras"
    _keras().save(path)
    return path


def keras_h5(folder: Path) -> Path:
    """Write an ``.h5`` file of Keras."""
    path = folder / "model.h5"
    _keras().save(path)
    return path


SOURCES: dict[str, Callable[[Path], Path]] = {
    "saved_model_1": saved_model_1,
    "saved_model_2": saved_model_2,
    "frozen": frozen,
    "frozen_text": frozen_text,
    "checkpoint": checkpoint,
    "keras": keras_archive,
    "h5": keras_h5,
}
