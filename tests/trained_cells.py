"""Cells whose models are trained, and then run again."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from factories import add_cell, run_cell

NAMES = {"tf": tf, "keras": keras, "np": np}
X = np.array([[1, 2], [3, 4]], np.float32)
LINEAR = """
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 2], "x")
    w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
    b = v1.get_variable("b", [1], initializer=v1.zeros_initializer())
    y = tf.add(tf.matmul(x, w), b, name="y")
"""
TRAIN = """
    target = tf.compat.v1.placeholder(tf.float32, [None, 1], "target")
    loss = tf.reduce_mean((y - target) ** 2)
    step = tf.compat.v1.train.AdamOptimizer(0.1).minimize(loss)
    for _ in range(5):
        session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})
"""
EAGER = """
    layer = keras.layers.Dense(1, name="y", kernel_initializer="ones")
    network = keras.Sequential([keras.Input((2,), name="x"), layer])
    network
"""
EAGER_TRAIN = """
    network.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    network.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
"""


def linear(code: str = LINEAR, **options: Any) -> Any:
    return add_cell("net", code, NAMES, **options)


def trained_linear() -> Any:
    """Return the answer of a model of that cell that was trained."""
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    return model(X)
