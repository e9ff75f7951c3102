"""One room's tensor in another: the error names both models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with two models, the output of the first of which is the notebook's ``foreign``."""
    kernel.ok(LINE)
    kernel.ok(LINE.replace("line", "other", 1))
    kernel.ok("%tf_run line -o foreign=y\n%tf_run line -o fed=x")
    return kernel


@pytest.mark.parametrize("use", ["foreign.eval({fed: [[1, 2]]})", "foreign.op.run({fed: [[1, 2]]})"])
def test_evaluating_it_elsewhere_names_both_models(kernel: Kernel, use: str) -> None:
    said = kernel.refused(f"%%tf_run other\n{use}")
    assert "is a tensor of model 'line'" in said
    assert "this cell runs in model 'other'" in said


@pytest.mark.parametrize("use", ["foreign + y", "tf.matmul(y, foreign)", "tf.concat([y, foreign], 0)"])
def test_mixing_it_with_an_own_one_names_both_models(kernel: Kernel, use: str) -> None:
    said = kernel.refused(f"%%tf_run other\n{use}")
    assert "'line'" in said
    assert "'other'" in said
    assert "one operation takes tensors of one graph" in said


def test_mixing_it_while_a_model_is_built_names_both_models(kernel: Kernel) -> None:
    said = kernel.refused("%%tf_model third\nimport tensorflow as tf\nown = tf.zeros([2])\nown + foreign")
    assert "'line'" in said
    assert "'third'" in said


def test_feeding_one_rooms_tensor_to_anothers_run_names_both_models(kernel: Kernel) -> None:
    said = kernel.refused("%%tf_run other\nsession.run(y, {fed: [[1, 2]]})")
    assert "'line'" in said
    assert "'other'" in said


def test_session_run_takes_tensors_of_any_room_and_of_several_at_once(kernel: Kernel) -> None:
    cell = """
        %%tf_run other
        ours, theirs = session.run([y, foreign], {x: [[1, 2]], fed: [[3, 4]]})
        ours.tolist(), theirs.tolist()
    """
    assert kernel.ok(cell).text == "([[2.0, 4.0]], [[6.0, 8.0]])"


def test_after_the_error_both_rooms_work(kernel: Kernel) -> None:
    kernel.refused("%%tf_run other\nforeign + y")
    for name in ("line", "other"):
        assert kernel.ok(f"%tf_run {name} [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


def test_a_symbolic_tensor_is_no_input(kernel: Kernel) -> None:
    assert "other: input 'x' got the symbolic tensor" in kernel.refused("%tf_run other foreign")


def test_clearing_the_rooms_graph_is_refused_with_what_to_do(kernel: Kernel) -> None:
    said = kernel.refused("%%tf_run other\ntf.compat.v1.reset_default_graph()")
    assert "take that line out" in said
