"""``name?`` and its relatives find the names of a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

MADE = '''
%%tf_model net --inputs x --outputs y
import tensorflow as tf
x = tf.compat.v1.placeholder(tf.float32, None, name="x")
y = tf.identity(x, name="y")
def scaled(value):
    """Return twice the value."""
    return 2 * value
'''


def test_a_question_mark_finds_names_of_the_room_and_of_the_notebook(kernel: Kernel) -> None:
    kernel.ok("def other(value):\n    'Of the notebook.'")
    kernel.ok(MADE)
    assert "Return twice the value." in kernel.ok("%%tf_run net\n%psource scaled").page
    assert "Of the notebook." in kernel.ok("%%tf_run net\n%psource other").page
    assert "Return twice the value." in kernel.ok("%%tf_run net\nscaled?").page
    for question in ("scaled?", "scaled??", "?scaled", "other?", "scaled.__name__?", "%pinfo scaled"):
        assert "not found" not in kernel.ok(f"%%tf_run net\n{question}").stdout, question
    assert "not found" in kernel.ok("%%tf_run net\nnothing?").stdout
    assert "not found" in kernel.ok("scaled?").stdout
