"""What happens in one room stays there, also when it goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

LIVE = """
import keras
net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones", name="out")])
%tf_model add live net
"""


def test_tf1_switches_of_an_eager_room_stay_in_it(kernel: Kernel) -> None:
    kernel.ok(LIVE)
    kernel.ok("%%tf_run live\nimport tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()")
    kernel.ok("import tensorflow as tf")
    assert kernel.value("tf.executing_eagerly(), int(tf.constant(1).numpy())") == "(True, 1)"
    assert kernel.value("float(net(tf.ones((1, 2)))[0, 0])") == "2.0"


def test_a_live_model_answers_from_within_another_models_room(kernel: Kernel) -> None:
    kernel.ok(LIVE)
    kernel.ok(LINE)
    kernel.ok("from tfmagic import models")
    reply = kernel.ok("""
        %%tf_run line
        before = len(graph.get_operations())
        answer = models.live([[1.0, 2.0]])
        float(answer[0, 0]), len(graph.get_operations()) - before
        """)
    assert reply.text == "(3.0, 0)"


def test_what_a_failed_cell_added_is_initialised(kernel: Kernel) -> None:
    kernel.ok(LINE)
    reply = kernel.run("""
        %%tf_run line
        session.run(w.assign(5.0))
        extra = v1.get_variable("extra", initializer=1.0)
        more = tf.identity(y + extra, name="more")
        raise LookupError("on purpose")
        """)
    assert reply.ename == "LookupError"
    assert "[[6., 6.]]" in kernel.value("%tf_run line [[1, 1]] --fetch more")


def test_a_bound_name_that_a_cell_assigns_stays_as_assigned(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\ngraph = 5")
    assert kernel.ok("%%tf_run line\ngraph").text == "5"


def test_an_output_that_needs_no_input_is_sent_out_as_its_value(kernel: Kernel) -> None:
    kernel.ok("%%tf_model const\nimport tensorflow as tf\ny = tf.constant(3.0) * 2")
    kernel.ok("%tf_run const -o y")
    assert kernel.value("float(y)") == "6.0"


def test_an_interrupted_await_ends_its_python_loop(kernel: Kernel) -> None:
    kernel.ok(LINE)

    def interrupt() -> None:
        while not (kernel.folder / "spinning").exists():
            pass
        kernel.manager.interrupt_kernel()

    reply = kernel.run(
        """
        %%tf_run line
        import asyncio, pathlib
        await asyncio.sleep(0)
        pathlib.Path("spinning").touch()
        while True:
            pass
        """,
        meanwhile=interrupt,
    )
    assert reply.ename == "KeyboardInterrupt"
    kernel.ok("import threading\nfrom tfmagic.concurrency.workers import workers")
    kernel.wait_until("len(workers()._idle) == sum(t.name == 'tfmagic-run' for t in threading.enumerate())")


def test_a_syntax_error_names_the_cells_own_line(kernel: Kernel) -> None:
    kernel.ok(LINE)
    reply = kernel.run("%%tf_run line\nfine = 1\ndef broken(:\n    pass")
    assert reply.ename == "UsageError"
    assert "line 3 of this cell" in reply.evalue
