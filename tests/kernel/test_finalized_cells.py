"""TensorFlow 1's training loops, which finalize the graph: they train, and the model does all it did before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

MONITORED = """
step = v1.train.GradientDescentOptimizer(.01).minimize(tf.reduce_sum(y), v1.train.get_or_create_global_step())
with v1.train.MonitoredTrainingSession(hooks=[v1.train.StopAtStepHook(last_step=4)]) as mine:
    while not mine.should_stop():
        mine.run(step, {x: [[1., 1.]]})
"""


def test_a_room_trained_by_a_monitored_session_runs_saves_and_drops(kernel: Kernel) -> None:
    kernel.ok(LINE)
    assert "Error" not in kernel.ok("%%tf_run line" + MONITORED).text
    assert kernel.ok("%tf_run line [[100, 200]]").text == "array([[192., 384.]], dtype=float32)"
    assert kernel.ok("%tf_model save line trained").text.startswith("line saved: SavedModel")
    assert "line: parked" in kernel.ok("%tf_model park line").text
    assert kernel.ok("%tf_run line [[100, 200]]").text == "array([[192., 384.]], dtype=float32)"
    assert "dropped: line" in kernel.ok("%tf_model drop line").text


def test_a_finalized_room_refuses_new_operations_in_one_line_and_goes_with_reset(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nk = v1.get_variable('k', initializer=1.0)\ngraph.finalize()")
    said = kernel.refused("%%tf_run line\nz = y + 1.0")
    assert said.startswith("the graph of model 'line' is finalized")
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    kernel.ok("%tf_model add other (__import__('tensorflow').function(lambda x: x))")
    assert "dropped: line, other" in kernel.ok("%tf_runtime reset").text
    assert kernel.ok(LINE).text.startswith("line added")


def test_what_goes_wrong_in_a_drop_is_said_after_what_was_dropped(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(9.0))")
    kernel.ok(LINE)
    assert kernel.ok("%tf_run line~1 [[1, 2]]").text == "array([[ 9., 18.]], dtype=float32)"
    kernel.ok(
        "import pathlib, shutil, tfmagic\n"
        "folder = pathlib.Path(tfmagic.models['line~1'].record()['path']).parent\n"
        "shutil.rmtree(folder)\nfolder.write_text('')"
    )
    reply = kernel.run("%tf_model drop --all")
    kernel.ok("folder.unlink()")
    assert "dropped: line, line~1" in reply.text
    assert (reply.status, reply.ename) == ("error", "UsageError")
    assert reply.evalue.startswith(
        "line, line~1: dropped, but not all could be let go of cleanly: line~1 (NotADirectory"
    )
    assert kernel.value("list(tfmagic.models)") == "[]"
