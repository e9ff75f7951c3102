"""``%tf_model add … --warm`` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

MODEL = """
import numpy as np, tensorflow as tf
v1 = tf.compat.v1
graph = tf.Graph()
with graph.as_default():
    x = v1.placeholder(tf.float32, [None, 4], "x")
    tf.nn.relu(x @ v1.get_variable("w", initializer=np.ones((4, 3), np.float32)), name="y")
"""


def test_nothing_is_said_but_what_was_added_and_the_log_has_no_warning(kernel: Kernel) -> None:
    kernel.ok("%load_ext tfmagic\nimport tfmagic")
    kernel.ok(MODEL)
    warnings = "tfmagic.snapshot()['log']['warnings']"
    before = kernel.value(warnings)
    added = kernel.ok("%tf_model add net graph --outputs y --warm")
    assert added.stdout + added.stderr == ""
    assert kernel.value("'libpywrap_tflite_common' in open('/proc/self/maps').read()") == "True", "or nothing spoke"
    assert kernel.value(warnings) == before
