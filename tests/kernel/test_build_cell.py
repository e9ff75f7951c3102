"""``%%tf_model``: the cell builds the graph, in a room of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

DOUBLED = "array([[2., 4.]], dtype=float32)"


def test_the_cell_builds_the_model_initialises_it_and_says_its_ends(kernel: Kernel) -> None:
    said = kernel.ok(LINE).text
    assert said.startswith("line added: built by the cell\n  x float32 (?, 2) -> y float32 (?, 2); 1 variable")
    assert kernel.ok("%tf_run line [[1, 2]]").text == DOUBLED


def test_its_graph_and_names_stay_out_of_the_notebook(kernel: Kernel) -> None:
    kernel.ok("import tensorflow.compat.v1 as v1")
    kernel.ok("operations = len(v1.get_default_graph().get_operations())")
    kernel.ok(LINE.replace("tf.compat.v1", "__import__('tensorflow').compat.v1"))
    assert kernel.value("len(v1.get_default_graph().get_operations()) - operations") == "0"
    assert kernel.value("[name for name in ('x', 'w', 'y', 'tf') if name in globals()]") == "[]"
    assert kernel.value("v1.executing_eagerly()") == "True"


def test_placeholders_become_inputs_and_named_ends_outputs(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model net
        import tensorflow as tf
        left = tf.compat.v1.placeholder(tf.float32, [])
        right = tf.compat.v1.placeholder(tf.float32, [], name="rightmost")
        middle = left + right
        both = middle * 2.0
        half = middle / 2.0
    """)
    kernel.ok("import tfmagic\nnet = tfmagic.models.net.signature()")
    assert kernel.value("[end.name for end in net.inputs]") == "['left', 'rightmost']"
    assert kernel.value("[end.name for end in net.outputs]") == "['both', 'half']"
    kernel.ok("r = %tf_run net left=3 rightmost=1")
    assert kernel.value("float(r.both), float(r.half)") == "(8.0, 2.0)"


def test_inputs_and_outputs_name_the_ends(kernel: Kernel) -> None:
    kernel.ok(LINE.replace("line", "net --inputs rows=x --outputs twice=y:0,factor=w", 1))
    kernel.ok("r = %tf_run net rows=[[1, 2]]")
    assert kernel.value("r.twice, float(r.factor)") == f"({DOUBLED}, 2.0)"


def test_the_cell_sees_the_notebooks_names(kernel: Kernel) -> None:
    kernel.ok("import tensorflow as tf\nfactor = 5.0")
    kernel.ok("""
        %%tf_model net
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        y = tf.identity(x * factor, name="y")
    """)
    assert kernel.ok("%tf_run net 2").text == "np.float32(10.0)"


def test_running_the_cell_again_builds_anew(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))\nextra = 1")
    assert "line renewed" in kernel.ok(LINE).text
    assert kernel.ok("%tf_run line [[1, 2]]").text == DOUBLED
    kernel.ok("import tfmagic")
    assert kernel.value("list(tfmagic.models), 'extra' in tfmagic.models.line.names") == "(['line', 'line~1'], False)"
    kernel.ok(LINE.replace("initializer=2.0", "initializer=4.0"))
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[4., 8.]], dtype=float32)"


@pytest.mark.parametrize(
    ("broken", "ename"),
    [
        ("y = tf.identity(x * w, name='y')\n1 / 0", "ZeroDivisionError"),
        ("nonsense(", "UsageError"),
        ("tf.matmul(x, tf.zeros([3, 3]))", "ValueError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_an_error_in_the_middle_leaves_the_former_room_in_place(kernel: Kernel, broken: str, ename: str) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))\nkept = 1")
    kernel.ok("import tfmagic\nbefore = tfmagic.models.line, len(tfmagic.session.open_graphs())")
    reply = kernel.run(LINE + broken)
    assert (reply.status, reply.ename) == ("error", ename)
    assert kernel.value("(tfmagic.models.line, len(tfmagic.session.open_graphs())) == before") == "True"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    assert kernel.value("tfmagic.models.line.names['kept']") == "1"


def test_a_first_cell_that_fails_leaves_no_model(kernel: Kernel) -> None:
    assert kernel.run(LINE + "1 / 0").ename == "ZeroDivisionError"
    kernel.ok("import tfmagic")
    assert kernel.value("list(tfmagic.models), tfmagic.session.hosted_graphs()") == "([], [])"


def test_a_cell_that_builds_nothing_is_refused(kernel: Kernel) -> None:
    said = kernel.refused("%%tf_model net\nx = 1")
    assert "added nothing to the room's graph" in said
    assert "add --eager for a Keras model" in said
    assert "as_default" not in said


def test_a_keras_model_in_a_cell_without_eager_is_told_of_it(kernel: Kernel) -> None:
    cell = "import tensorflow as tf\nm = tf.keras.Sequential([tf.keras.Input([4]), tf.keras.layers.Dense(2)])\nm"
    said = kernel.refused(f"%%tf_model net\n{cell}")
    assert said.startswith("net: the cell's last line is a live Sequential, and a graph was expected: ")
    assert said.endswith("%%tf_model net --eager takes it as it is")
    assert kernel.ok(f"%%tf_model net --eager\n{cell}").text.startswith("net added: ")


def test_a_cell_wants_one_name(kernel: Kernel) -> None:
    assert "one name was expected" in kernel.refused("%%tf_model\nx = 1")
    assert "one name was expected" in kernel.refused("%%tf_model net other\nx = 1")
    assert "type %%tf_model net" in kernel.refused("%%tf_model add net\nx = 1")


def test_an_end_that_is_not_there_is_refused_with_the_nearest(kernel: Kernel) -> None:
    said = kernel.refused(LINE.replace("line", "net --outputs z=yy", 1))
    assert said.startswith("net: there is no tensor 'yy'")
    assert "did you mean 'y'" in said


def test_a_name_with_another_source_is_refused_unless_replace_is_said(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("import tensorflow as tf\nsquare = tf.function(lambda x: x * x)")
    said = kernel.refused("%tf_model add line square")
    assert "the name 'line' is taken" in said
    assert "--replace" in said
    assert kernel.ok("%tf_run line [[1, 2]]").text == DOUBLED
    kernel.ok("%tf_model add line square --replace")
    assert "taken by square" in kernel.refused(LINE)
    assert "line replaced" in kernel.ok(LINE.replace("line", "line --replace", 1)).text
    assert kernel.ok("%tf_run line [[1, 2]]").text == DOUBLED


def test_a_keras_layer_and_a_v1_layer_build_in_the_room(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model net
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        layer = tf.keras.layers.Dense(2, kernel_initializer="ones")
        y = tf.identity(layer(x), name="y")
    """)
    assert kernel.ok("%tf_run net [[1, 2, 3]]").text == "array([[6., 6.]], dtype=float32)"
