"""``--batch-size`` in a kernel: joined, under a bar; interrupted, the finished rows are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR
from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel, Reply

pytestmark = pytest.mark.kernel

COUNTED = """
%%tf_model counted --inputs x --outputs y,z
import pathlib, threading
import tensorflow as tf
v1 = tf.compat.v1
release = threading.Event()
batches = []

def work(value):
    batches.append(len(value))
    if len(batches) == 3:
        pathlib.Path("started").touch()
        release.wait()
    return value

x = v1.placeholder(tf.float32, [None], name="x")
worked = v1.py_func(work, [x], tf.float32)
worked.set_shape([None])
y = tf.identity(worked * 2.0, name="y")
z = tf.identity(worked + 1.0, name="z")
"""
"""A model whose third batch lasts until ``release`` is set."""

FINISHED = "array([ 0.,  2.,  4.,  6.,  8., 10., 12., 14.], dtype=float32)"


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel with ``line``, ``counted`` and an array of ten rows."""
    kernel.ok(LINE)
    kernel.ok(COUNTED)
    kernel.ok("""
        import numpy as np
        from tfmagic import models
        X = np.arange(20, dtype="float32").reshape(10, 2)
        N = np.arange(10, dtype="float32")
    """)
    yield kernel
    kernel.ok("if 'counted' in models: models.counted.names['release'].set()")


def bars(reply: Reply) -> list[str]:
    return [result["text/plain"] for result in reply.results if "row" in result["text/plain"]]


def test_batches_give_what_one_run_gives_under_a_bar(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line X --batch-size 3 -o parts")
    assert len(bars(reply)) == 1
    assert "line" in bars(reply)[0]
    assert reply.stderr == ""
    kernel.ok("%tf_run line X -o whole")
    assert kernel.value("(parts == whole).all(), parts.shape, models.line.record()['calls']") == (
        "(np.True_, (10, 2), 5)"
    )


def test_one_batch_has_no_bar(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line X[:2] --batch-size 3")
    assert bars(reply) == []
    assert reply.text == "array([[0., 2.],\n       [4., 6.]], dtype=float32)"


def test_a_line_of_text_is_the_bar_where_there_are_no_widgets(kernel: Kernel) -> None:
    kernel.ok("""
        import sys
        kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition('.')[0] == 'tqdm'}
        sys.modules['ipywidgets'] = None
    """)
    reply = kernel.ok("%tf_run line X --batch-size 3 -o parts")
    assert "line: 100%" in reply.stderr
    assert "10/10" in reply.stderr
    assert "Warning" not in reply.stderr
    kernel.ok("""
        del sys.modules['ipywidgets']
        for name in [name for name in sys.modules if name.partition('.')[0] == 'tqdm']: del sys.modules[name]
        sys.modules.update(kept)
    """)


def test_several_outputs_are_joined(kernel: Kernel) -> None:
    kernel.ok(PAIR)
    kernel.ok("%tf_run pair a=N b=N --batch-size 4 -o total,gap")
    assert kernel.value("total.tolist() == (2 * N).tolist(), gap.any()") == "(True, np.False_)"


def test_inputs_that_differ_in_rows_are_refused(kernel: Kernel) -> None:
    kernel.ok(PAIR)
    assert kernel.refused("%tf_run pair a=N b=N[:3] --batch-size 4") == (
        "pair: inputs in batches need as many rows each: a has 10, b has 3"
    )


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1.5", "X"])
def test_an_impossible_size_is_refused_before_anything_runs(kernel: Kernel, value: str) -> None:
    said = kernel.refused(f"%tf_run line X --batch-size {value}")
    assert said == f"--batch-size takes a whole number from 1 on, got {value}"
    assert kernel.value("models.line.record()['calls']") == "0"


def test_a_size_that_is_missing_is_refused(kernel: Kernel) -> None:
    assert kernel.refused("%tf_run line X --batch-size") == "--batch-size needs a value: --batch-size N"
    assert "was given no input" in kernel.refused("%tf_run line --fetch w --batch-size 2")


def test_names_that_do_not_go_with_the_outputs_are_refused_before_anything_runs(kernel: Kernel) -> None:
    assert "-o names 3 outputs by position and line gives 1 (y)" in kernel.refused(
        "%tf_run line X --fetch y --batch-size 3 -o a,b,c"
    )
    assert kernel.refused("%tf_run line X --fetch y --batch-size 3 -o mine=z") == (
        "-o mine=z: line gives no output 'z' (there is: y)"
    )
    assert kernel.value("models.line.record()['calls']") == "0"


def test_an_interrupt_puts_the_finished_rows_where_they_were_to_go(kernel: Kernel) -> None:
    reply = interrupted(kernel, "%tf_run counted N --fetch y --batch-size 4 -o doubled")
    # The third batch, rows 8 and 9, was under way.
    assert (reply.status, reply.ename) == ("error", "InterruptedRun")
    assert "rows 0 to 7 of 10 are in doubled" in reply.evalue
    assert "rows 0 to 7 of 10 are in doubled" in reply.traceback
    assert kernel.value("doubled") == FINISHED
    assert kernel.value("models.counted.state") == "'stopping'"
    kernel.ok("models.counted.names['release'].set()")
    kernel.wait_until("models.counted.state == 'ready'")
    assert kernel.value("models.counted.names['batches']") == "[4, 4, 2]"


def test_an_interrupt_stops_run_all(kernel: Kernel) -> None:
    kernel.ok("import builtins; after = 'not run'")
    reply = interrupted(kernel, "%tf_run counted N --batch-size 4 -o parts\nafter = 'run'")
    assert reply.status == "error"
    assert kernel.value("after") == "'not run'"
    assert kernel.value("type(parts).__name__, list(parts), parts.y.shape, parts.z.shape") == (
        "('Result', ['y', 'z'], (8,), (8,))"
    )


def test_an_interrupt_sends_outputs_to_their_names(kernel: Kernel) -> None:
    reply = interrupted(kernel, "%tf_run counted N --batch-size 4 -o two=y,one=z")
    assert "rows 0 to 7 of 10 are in two, one" in reply.evalue
    assert kernel.value("two") == FINISHED
    assert kernel.value("one.tolist() == (N[:8] + 1).tolist()") == "True"


def test_without_a_name_the_finished_rows_are_with_the_error(kernel: Kernel) -> None:
    reply = interrupted(kernel, "%tf_run counted N --fetch y --batch-size 4")
    assert "rows 0 to 7 of 10 are in sys.last_value.partial" in reply.evalue
    assert kernel.value("__import__('sys').last_value.partial.y") == FINISHED


def test_an_interrupt_before_the_first_batch_has_ended_leaves_the_name_as_it_was(kernel: Kernel) -> None:
    kernel.ok("doubled = 'as it was'\nmodels.counted.names['batches'].extend([0, 0])")
    reply = interrupted(kernel, "%tf_run counted N --fetch y --batch-size 4 -o doubled")
    assert reply.ename == "InterruptedRun"
    assert reply.evalue.startswith("counted was stopped before the first batch had ended; counted is stopping: ")
    assert kernel.value("doubled") == "'as it was'"


def test_no_batch_begins_after_an_interrupt(kernel: Kernel) -> None:
    interrupted(kernel, "%tf_run counted N --fetch y --batch-size 2")
    kernel.ok("models.counted.names['release'].set()")
    kernel.wait_until("models.counted.state == 'ready'")
    assert kernel.value("models.counted.names['batches']") == "[2, 2, 2]"


def test_a_deadline_is_for_all_batches_together_and_keeps_the_finished_rows(kernel: Kernel) -> None:
    reply = kernel.run("%tf_run counted N --fetch y --batch-size 4 --timeout 1 -o doubled")
    assert (reply.status, reply.ename) == ("error", "UsageError")
    assert "counted: no answer within 1 s" in reply.evalue
    assert "rows 0 to 7 of 10 are in doubled" in reply.evalue
    assert "Traceback" not in reply.stderr
    assert kernel.value("doubled") == FINISHED


def test_without_a_name_the_rows_finished_at_the_deadline_are_with_the_error(kernel: Kernel) -> None:
    reply = kernel.run("%tf_run counted N --fetch y --batch-size 4 --timeout 1")
    assert "rows 0 to 7 of 10 are in sys.last_value.partial" in reply.evalue
    assert kernel.value("__import__('sys').last_value.partial.y") == FINISHED


def test_the_python_call_is_interrupted_likewise(kernel: Kernel) -> None:
    reply = interrupted(
        kernel,
        """
        try:
            models.counted.run(N, fetch="y", batch_size=4)
        except KeyboardInterrupt as stopped:
            part = stopped
        """,
    )
    assert reply.status == "ok"
    assert kernel.value("part.partial.y") == FINISHED
    assert kernel.value("part.rows") == "'rows 0 to 7 of 10'"
