"""Cells that build a model of one variable, by which it multiplies."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from factories import add_cell

LINEAR = """
    x = tf.compat.v1.placeholder(tf.float32, [None])
    w = tf.compat.v1.get_variable("w", initializer=2.0)
    y = x * w
"""
TF = {"tf": tf}


def linear(name: str = "net", code: str = LINEAR) -> Any:
    return add_cell(name, code, TF).model
