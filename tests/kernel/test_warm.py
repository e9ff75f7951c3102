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


def test_a_warmed_model_is_warmed_again_when_it_is_woken(kernel: Kernel) -> None:
    kernel.ok(f"%load_ext tfmagic\n{MODEL}")
    kernel.ok("%tf_model add net graph --outputs y --warm")
    prepared = "len(__import__('tfmagic').models.net.record()['prepared'])"
    assert kernel.value(prepared) == "1"
    parked = kernel.ok("%tf_model park net").text
    assert "it was warmed: %tf_model wake net warms it again, a run alone does not" in parked
    assert kernel.value(prepared) == "0"
    assert kernel.ok("%tf_model wake net").text.endswith("; warmed again")
    assert kernel.value(prepared) == "1"
    assert kernel.ok("%tf_model add net graph --outputs y --warm").text == "net: unchanged, kept, and warmed"


def test_several_models_of_a_line_may_have_commas_between_them(kernel: Kernel) -> None:
    kernel.ok(f"%load_ext tfmagic\n{MODEL}")
    for name in ("one", "two", "three"):
        kernel.ok(f"%tf_model add {name} graph --outputs y --copy")
    said = kernel.ok("%tf_model park one,two").text
    assert said.count(": parked") == 2
    assert kernel.refused("%tf_model drop one,twos").startswith("there is no model 'twos'")
    assert kernel.ok("%tf_model drop one, two three").text.startswith("dropped: one, two, three (")
