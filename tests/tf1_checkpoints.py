"""Checkpoints of a small network in training, as TF1's own ``Saver`` writes them, and what TF1 makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
T = np.array([[1], [2], [3]], np.float32)


def build(*, reference: bool = False, parts: int | None = None, optimizer: str = "GradientDescent") -> None:
    """Add a small network, its loss and its training to the default graph."""
    x = v1.placeholder(tf.float32, [None, 2], "x")
    target = v1.placeholder(tf.float32, [None, 1], "target")
    partitioner = None if parts is None else v1.fixed_size_partitioner(parts)
    with v1.variable_scope("dense", use_resource=not reference):
        kernel = v1.get_variable(
            "kernel", [2, 4], initializer=v1.random_normal_initializer(seed=1), partitioner=partitioner
        )
        hidden = tf.nn.relu(tf.matmul(x, tf.convert_to_tensor(kernel)))
        second = v1.get_variable("second", [4, 1], initializer=v1.random_normal_initializer(seed=2))
    y = tf.matmul(hidden, second, name="y")
    loss = tf.reduce_mean(tf.square(y - target), name="loss")
    step = v1.train.get_or_create_global_step()
    made = {"GradientDescent": v1.train.GradientDescentOptimizer, "Adam": v1.train.AdamOptimizer}[optimizer](0.05)
    made.minimize(loss, global_step=step)
    v1.add_to_collection("losses_of_mine", loss)


def train(native: Any, steps: int) -> list[float]:
    """Train by the collections of the graph of a session, and return the losses."""
    (operation,) = native.graph.get_collection(v1.GraphKeys.TRAIN_OP)
    (loss,) = native.graph.get_collection("losses_of_mine")
    return [float(native.run([loss, operation], {"x:0": X, "target:0": T})[0]) for _ in range(steps)]


def saved(
    prefix: Path,
    make: Callable[[], Any] = build,
    *,
    saver: Callable[[], Any] = v1.train.Saver,
    steps: int = 3,
    global_step: int | None = None,
) -> Path:
    """Train a graph a little, and save it with TF1's own ``Saver``."""
    prefix.parent.mkdir(exist_ok=True)
    with tf.Graph().as_default(), v1.Session() as native:
        make()
        writer = saver()
        native.run([v1.global_variables_initializer(), v1.tables_initializer()])
        if steps:
            train(native, steps)
        path: Any = writer.save(native, str(prefix), global_step=global_step)
    return prefix.with_name(str(path).rpartition("/")[2])


def by_plain_tensorflow(prefix: Path, steps: int = 0) -> tuple[Any, list[float]]:
    """Return the answer, after some more training, and the losses of that, all by TF1's own means."""
    with tf.Graph().as_default(), v1.Session() as native:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(native, str(prefix))
        losses = train(native, steps)
        return native.run("y:0", {"x:0": X}), losses
