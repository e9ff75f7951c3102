"""What ``%tf_run`` gives: the array, a mapping, or names in the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR, SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

PAIRED = "%tf_run pair a=[5] b=[2]"


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with a model of one output and a model of two."""
    kernel.ok(LINE)
    kernel.ok(PAIR)
    return kernel


def test_one_output_gives_its_array(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line [[1, 2]]")
    assert reply.text == "array([[2., 4.]], dtype=float32)"
    kernel.ok("r = %tf_run line [[1, 2]]")
    assert kernel.value("type(r).__name__, r.dtype.name, r.tolist()") == "('ndarray', 'float32', [[2.0, 4.0]])"


def test_several_outputs_give_a_mapping_with_attributes(kernel: Kernel) -> None:
    kernel.ok(f"r = {PAIRED}")
    assert kernel.value("dict(r)") == ("{'total': array([7.], dtype=float32), 'gap': array([3.], dtype=float32)}")
    assert kernel.value("r.gap is r['gap'], list(r)") == "(True, ['total', 'gap'])"
    shown = kernel.ok(PAIRED).text
    assert "total: float32 (1,)" in shown
    assert "gap: float32 (1,)" in shown


def test_one_fetch_gives_its_array_and_several_a_mapping(kernel: Kernel) -> None:
    assert kernel.ok(f"{PAIRED} --fetch gap").text == "array([3.], dtype=float32)"
    kernel.ok(f"r = {PAIRED} --fetch gap,total")
    assert kernel.value("list(r)") == "['gap', 'total']"


def test_any_tensor_of_the_graph_can_be_fetched_by_name(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]] --fetch y:0").text == "array([[2., 4.]], dtype=float32)"
    assert kernel.ok("%tf_run pair a=[5] --fetch a:0").text == "array([5.], dtype=float32)"


def test_a_variable_can_be_fetched_and_gives_its_value(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\nsession.run(w.assign(7.0))\nmine = w")
    assert kernel.ok("%tf_run line --fetch mine").text == kernel.ok("%tf_run line --fetch w").text
    kernel.ok("r = %tf_run line --fetch w")
    assert kernel.value("float(r)") == "7.0"


def test_another_signature_can_be_asked_for(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add scales scales/1")
    kernel.ok("r = %tf_run scales [4] --signature halves")
    assert kernel.value("r.low, r.high") == "(array([2.], dtype=float32), array([2.], dtype=float32))"
    kernel.ok("%tf_model add halves scales/1 --signature halves")
    assert kernel.ok("%tf_run halves [4] --fetch low").text == "array([2.], dtype=float32)"


def test_o_puts_the_result_into_the_notebook_and_displays_nothing(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]] -o doubled").results == []
    assert kernel.value("doubled") == "array([[2., 4.]], dtype=float32)"
    assert kernel.ok(f"{PAIRED} -o both").results == []
    assert kernel.value("both.gap") == "array([3.], dtype=float32)"


def test_o_takes_outputs_by_position_and_by_name(kernel: Kernel) -> None:
    kernel.ok(f"{PAIRED} -o first,second")
    assert kernel.value("first, second") == "(array([7.], dtype=float32), array([3.], dtype=float32))"
    kernel.ok(f"{PAIRED} -o mine=gap")
    assert kernel.value("mine") == "array([3.], dtype=float32)"
    kernel.ok(f"{PAIRED} -o mine=total,other=gap")
    assert kernel.value("mine, other") == "(array([7.], dtype=float32), array([3.], dtype=float32))"


def test_o_without_inputs_sends_out_a_name_of_the_room(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\nlosses = [3, 2, 1]\nrate = 0.5")
    assert kernel.ok("%tf_run line -o losses").results == []
    kernel.ok("%tf_run line -o mine=rate")
    assert kernel.value("losses, mine") == "([3, 2, 1], 0.5)"
    assert "has no name 'loses' (did you mean 'losses'?)" in kernel.refused("%tf_run line -o loses")


def test_o_sends_out_what_a_cell_assigned_and_displays_nothing(kernel: Kernel) -> None:
    reply = kernel.ok("%%tf_run line -o losses,mine=rate\nlosses = [1]\nrate = 0.25\nrate")
    assert reply.results == []
    assert kernel.value("losses, mine") == "([1], 0.25)"
    assert kernel.value("'rate' in globals()") == "False"


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("a,b,c", "3 outputs by position and pair gives 2"),
        ("1a", "'1a' is no name"),
        ("a,a", "'a' is given twice"),
        ("mine=tot", "'tot' (did you mean 'total'?)"),
        ("mine=", "'mine=' is no name"),
    ],
)
def test_an_o_that_cannot_be_is_refused_and_binds_nothing(kernel: Kernel, out: str, said: str) -> None:
    assert said in kernel.refused(f"{PAIRED} -o {out}")
    assert kernel.value("'a' in globals() or 'mine' in globals()") == "False"


@pytest.mark.parametrize(
    "given",
    [
        "[[1, 2]]",
        "((1, 2),)",
        "np.array([[1, 2]])",
        "np.array([[1.0, 2.0]])",
        "tf.constant([[1.0, 2.0]])",
        "tf.Variable([[1.0, 2.0]])",
        "pd.DataFrame({'one': [1.0], 'two': [2.0]})",
        "tf.data.Dataset.from_tensor_slices([[1.0, 2.0]])",
        "tf.data.Dataset.from_tensor_slices([[1.0, 2.0]]).batch(1)",
    ],
)
def test_an_input_may_be_anything_that_holds_numbers(kernel: Kernel, given: str) -> None:
    kernel.ok("import numpy as np, pandas as pd, tensorflow as tf")
    assert kernel.ok(f"%tf_run line {given}").text == "array([[2., 4.]], dtype=float32)"


def test_a_data_frame_gives_its_columns_by_input_name(kernel: Kernel) -> None:
    kernel.ok("import pandas as pd\ntable = pd.DataFrame({'b': [1.0, 2.0], 'a': [5.0, 7.0]})")
    assert kernel.ok("%tf_run pair table --fetch gap").text == "array([4., 5.], dtype=float32)"


def test_a_live_model_answers_with_its_present_weights(kernel: Kernel) -> None:
    kernel.ok("""
        import tensorflow as tf
        class Net(tf.Module):
            def __init__(self):
                self.w = tf.Variable(2.0)
            @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
            def __call__(self, x):
                return x * self.w
        net = Net()
        %tf_model add live net
    """)
    assert kernel.ok("%tf_run live [1]").text == "array([2.], dtype=float32)"
    kernel.ok("net.w.assign(7.0)")
    assert kernel.ok("%tf_run live [1]").text == "array([7.], dtype=float32)"
