"""No error that a person can cause takes more than five lines, whatever TensorFlow and Keras would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

MADE = """
%%tf_model net --inputs x --outputs y
import tensorflow as tf
x = tf.compat.v1.placeholder(tf.float32, None, name="x")
y = tf.matmul(x, tf.ones([2, 2]), name="y")
"""
LIVE = """
import numpy as np, tensorflow as tf, keras
from tfmagic import models
class Bad(tf.Module):
    def __call__(self, x):
        raise ZeroDivisionError("mine")
bad, function = Bad(), tf.function(lambda x: tf.linalg.matmul(x, tf.ones([2, 2])))
%tf_model add bad bad
%tf_model add function function
"""
CELLS = [
    "%tf_run net np.ones([3, 3], 'f4')",
    "%tf_run net np.ones([3, 3], 'f4') --trace",
    "%tf_run net {1: 2}",
    "models.net({1: 2})",
    "models.net(np.ones([3, 3], 'f4'))",
    "models.net.run(np.ones([3, 3], 'f4'), timeout=9)",
    "models.nothing",
    "%%tf_run net\nsession.run(y, {x: np.ones([3, 3])})",
    "%%tf_run net\nsession.run('nothing:0')",
    "%%tf_run net\ny.eval()",
    "%tf_run bad 1.0",
    "%tf_run function np.ones([3, 3], 'f4')",
    "%tf_run function 'text'",
    "%%tf_model large --eager\nkeras.Sequential([keras.Input([10**6]), keras.layers.Dense(10**7)])",
    "%tf_model add large (keras.Sequential([keras.Input([10**6]), keras.layers.Dense(10**7)]))",
    "%tf_model add other (keras.Sequential([keras.Input([2]), keras.layers.Dense('wide')]))",
]


def test_every_error_has_five_lines_at_most(kernel: Kernel) -> None:
    kernel.ok(MADE)
    kernel.ok(LIVE)
    long = {}
    for cell in CELLS:
        reply = kernel.run(cell)
        assert reply.status == "error", cell
        lines = [line for line in (reply.traceback + reply.stderr).splitlines() if line.strip()]
        if len(lines) > 5:
            long[cell] = lines
    assert long == {}
    assert "Traceback (most recent call last)" in kernel.ok("%tf_runtime log").text


def test_a_mistake_in_a_cells_own_code_is_shown_as_in_any_other_cell(kernel: Kernel) -> None:
    kernel.ok(MADE)
    reply = kernel.run("%%tf_run net\na = 1\na / 0")
    assert (reply.ename, "----> 3 a / 0" in reply.traceback) == ("ZeroDivisionError", True)
