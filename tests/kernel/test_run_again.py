"""Cells that are run again: what was trained stays as ``NAME~1``, or is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import EAGER, EAGER_TRAIN, LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


def test_an_eager_cell(kernel: Kernel) -> None:
    said = kernel.ok(EAGER).text
    assert said.startswith("net added: built by the cell")
    assert "x float32 (?, 2) -> y float32 (?, 1)" in said
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[3.]], dtype=float32)"
    assert (
        kernel.ok("%%tf_run net\nimport tensorflow as tf\nthis.live is network, tf.executing_eagerly()").text
        == "(True, True)"
    )
    assert kernel.value("'network' in globals()") == "False"
    said = kernel.refused("%%tf_model net --eager\na = 1")
    assert "the last line of an --eager cell is the model" in said
    assert "here it is an object of int" in kernel.refused("%%tf_model net --eager\n7")
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[3.]], dtype=float32)"


def test_a_trained_eager_cell_run_again(kernel: Kernel) -> None:
    kernel.ok(EAGER)
    kernel.ok(EAGER_TRAIN)
    trained = kernel.ok("%tf_run net [[1, 2]]").text
    assert trained != "array([[3.]], dtype=float32)"
    said = kernel.ok(EAGER).text
    assert said.startswith("net renewed")
    assert "it had been trained: net~1 is what it was" in said
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[3.]], dtype=float32)"
    assert kernel.ok("%tf_run net~1 [[1, 2]]").text == trained


def test_a_trained_cell_run_again_keeps_what_it_learnt(kernel: Kernel) -> None:
    assert "start from their initial" not in kernel.ok(LINE).text
    assert "its variables start from their initial values" in kernel.ok(LINE).text
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))")
    said = kernel.ok(LINE).text
    assert said.startswith("line renewed: built by the cell\n")
    assert said.splitlines()[-1] == "  it had been trained: line~1 is what it was, in place of any earlier line~1"
    assert kernel.ok("%tf_run line~1 [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    listed = kernel.ok("%tf_model").text
    assert "line~1" in listed
    assert "previous version" in listed
    assert "previous version" in kernel.ok("%tf_model show line~1").text
    assert "previous version" in kernel.ok("%tf_model line~1").text
    # An untrained one leaves the former training as it is.
    assert "trained" not in kernel.ok(LINE).text
    assert kernel.ok("%tf_run line~1 [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    dropped = kernel.ok("%tf_model drop line~1").text
    assert dropped.startswith("line~1 was trained, and not saved since\ndropped: line~1 (")
    assert "there is no model 'line~1'" in kernel.refused("%tf_run line~1 [[1, 2]]")


def test_a_cell_can_run_in_the_former_room(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))")
    kernel.ok(LINE)
    assert kernel.ok("%%tf_run line~1\nsession.run(y, {x: [[1, 2]]})").text == "array([[ 9., 18.]], dtype=float32)"
    assert kernel.ok("import tfmagic\ntfmagic.models['line~1']([[1, 2]])").text == "array([[ 9., 18.]], dtype=float32)"


def test_the_line_of_a_copy_said_again_takes_the_weights_of_an_object_that_has_changed(kernel: Kernel) -> None:
    kernel.ok(
        "import tensorflow as tf\nmodule = tf.Module()\nmodule.w = tf.Variable(2.0)\n"
        "module.f = tf.function(lambda x: x * module.w, input_signature=[tf.TensorSpec([2], name='x')])"
    )
    line = "%tf_model add net module --copy"
    assert kernel.ok(line).text.startswith("net added: a copy of the tf.Module module")
    assert kernel.ok(line).text == "net: unchanged, kept"
    kernel.ok("module.w.assign(3.0)")
    said = kernel.ok(line).text
    assert said.startswith("net renewed: a copy of the tf.Module module")
    assert "trained" not in said
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"
    kernel.ok("%%tf_run net\nimport tensorflow as tf\nsession.run(tf.compat.v1.global_variables()[0].assign(7.0))")
    assert kernel.ok(line).text == "net: unchanged, kept"
    kernel.ok("module.w.assign(4.0)")
    said = kernel.ok(line).text
    assert said.splitlines()[-1] == "  it had been trained: net~1 is what it was, in place of any earlier net~1"
    assert kernel.ok("%tf_run net~1 [1, 2]").text == "array([ 7., 14.], dtype=float32)"
    assert kernel.ok("%tf_run net [1, 2]").text == "array([4., 8.], dtype=float32)"


def test_keep_carries_over_what_fits(kernel: Kernel) -> None:
    keep = LINE.replace("%%tf_model line", "%%tf_model line --keep")
    kernel.ok(keep)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))")
    said = kernel.ok(keep).text
    assert "previous values kept for 1 variable (--keep)" in said
    assert "line~1" not in said
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    said = kernel.ok(keep.replace("initializer=2.0", "initializer=[2.0, 2.0]")).text
    assert "it had been trained: line~1 is what it was" in said
    assert "previous values kept" not in said
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    assert kernel.ok("%tf_run line~1 [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"


def test_a_failing_cell_leaves_the_trained_model(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))")
    for broken in (LINE + "\n1 / 0", LINE.replace("--", "") + "\nnone.such"):
        assert kernel.run(broken).status == "error"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    assert kernel.value("list(__import__('tfmagic').models)") == "['line']"
