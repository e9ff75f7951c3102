"""What pasted TensorFlow 1 code begins with, and what it looks for in vain."""

from __future__ import annotations

import subprocess
import sys

import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic.errors import ForeignTensorError, UnknownNameError

BODY = """
x = tf.placeholder(tf.float32, [None, 2], name="x")
w = tf.get_variable("w", [2, 1], initializer=tf.ones_initializer())
y = tf.matmul(x, w, name="y")
"""
FIRST_LINES = [
    "tf.reset_default_graph()",
    "tf.disable_v2_behavior()\ntf.reset_default_graph()",
    "tf.disable_eager_execution()\ntf.reset_default_graph()\ntf.set_random_seed(1)",
    "tf.disable_v2_tensorshape()\ntf.disable_resource_variables()\ntf.disable_control_flow_v2()",
    "from tensorflow.python.framework import ops\nops.reset_default_graph()",
    "import tensorflow\ntensorflow.compat.v1.reset_default_graph()",
    "tf.keras.backend.clear_session()",
]


@pytest.mark.parametrize("lines", FIRST_LINES)
def test_the_first_lines_of_pasted_code_are_taken(lines: str) -> None:
    model = add_cell("net", f"import tensorflow.compat.v1 as tf\n{lines}\n{BODY}").model
    assert model([[1.0, 2.0]]) == [[3.0]]
    assert tf.executing_eagerly()


def test_a_graph_that_has_operations_is_not_cleared_without_a_word() -> None:
    model = add_cell("net", "import tensorflow.compat.v1 as tf\n" + BODY).model
    with pytest.raises(ForeignTensorError, match="take that line out"):
        run_cell(model, "tf.reset_default_graph()")
    assert model([[1.0, 2.0]]) == [[3.0]]


@pytest.mark.parametrize("name", ["layers.dense(x, 2)", "layers.Dense(2)", "nn.rnn_cell.LSTMCell(3)"])
def test_what_keras_3_does_not_have_leads_on_in_one_line(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"TF_USE_LEGACY_KERAS.*tf_keras") as caught:
        add_cell("net", f"import tensorflow.compat.v1 as tf\n{BODY}z = tf.{name}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
def test_what_that_line_says_works() -> None:
    pytest.importorskip("tf_keras")
    code = (
        "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1'\n"
        "import tensorflow.compat.v1 as tf\nfrom factories import add_cell\n"
        "model = add_cell('net', '''x = tf.placeholder(tf.float32, [None, 3, 2])\n"
        "last = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(3), x, dtype=tf.float32)[0][:, -1]\n"
        "y = tf.layers.dense(last, 2, name='y')''', {'tf': tf}, outputs='y=y').model\n"
        "print(model([[[1.0, 2.0]] * 3]).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="tests")  # noqa: S603 - this test's code
    assert done.stdout.split("\n")[-2:] == ["(1, 2)", ""], done.stderr[-500:]
