"""Stop: an interrupt comes back though the native run goes on, and so does the kernel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kernel.cells import HELD, LINE, STUCK
from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel with ``line`` and ``held``, the latter released at the end."""
    kernel.ok(LINE)
    kernel.ok(HELD)
    kernel.ok("import numpy as np\nfrom tfmagic import models\nrelease = models.held.names['release']")
    yield kernel
    kernel.ok("release.set()")


@pytest.mark.parametrize(
    "cell",
    [
        "%tf_run held 1",
        "models.held(np.float32(1))",
        "models.held.run([1.0][0])",
        "%%tf_run held\nsession.run(y, {x: 1})",
        "%%tf_run held\ny.eval({x: 1})",
        "%%tf_run held\ny.op.run({x: 1})",
        "%%tf_run held\nwith v1.Session() as sess: sess.run(y, {x: 1})",
    ],
)
def test_an_interrupt_comes_back_while_the_native_run_goes_on(kernel: Kernel, cell: str) -> None:
    kernel.ok("%%tf_run held\nw.load(7.0, session)")
    reply = interrupted(kernel, cell)
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    assert kernel.value("models.held.state") == "'stopping'"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    said = kernel.refused("%tf_run held 1")
    assert "held" in said
    assert "is still stopping: it was interrupted " in said
    kernel.ok("release.set()")
    kernel.wait_until("models.held.state == 'ready'")
    assert kernel.ok("%tf_run held 1").text == "np.float32(8.0)"


LOOP = """
%%tf_model loop --inputs x,rounds --outputs y
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [], "x")
rounds = v1.placeholder(tf.int64, [], "rounds")
y = tf.while_loop(lambda i, _: i < rounds, lambda i, value: (i + 1, tf.tanh(value)), [tf.constant(0, tf.int64), x])[1]
"""


def test_an_interrupt_ends_a_call_in_python_that_was_quick_before(kernel: Kernel) -> None:
    kernel.ok(LOOP)
    kernel.ok("one = np.float32(1), np.int64(3)\nfor _ in range(30): models.loop(x=one[0], rounds=one[1])")

    def interrupt() -> None:
        # Nothing of this run can be seen from outside; before it begins the interrupt ends the cell just as well.
        time.sleep(1.0)
        kernel.manager.interrupt_kernel()

    reply = kernel.run("models.loop(x=one[0], rounds=np.int64(2**62))", meanwhile=interrupt)
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    kernel.ok("%tf_model stop loop --now")
    assert kernel.value("float(models.loop(x=one[0], rounds=np.int64(0)))") == "1.0"


def test_the_table_shows_a_stopping_model(kernel: Kernel) -> None:
    interrupted(kernel, "%tf_run held 1")
    assert "stopping" in kernel.ok("%tf_model").text


def test_dropping_cancels_a_run_that_never_ends(kernel: Kernel) -> None:
    kernel.ok(STUCK)
    assert interrupted(kernel, "%tf_run stuck 1").ename == "KeyboardInterrupt"
    assert kernel.ok("%tf_model drop stuck").text.startswith("dropped: stuck (")
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    kernel.ok(STUCK)
    assert kernel.value("models.stuck.state") == "'ready'"


def test_training_that_is_interrupted_keeps_the_steps_it_made(kernel: Kernel) -> None:
    kernel.ok("import pathlib")
    reply = interrupted(
        kernel,
        """
        %%tf_run line
        up = w.assign_add(1.0)
        while True:
            count = session.run(up)
            pathlib.Path("started").touch()
        """,
    )
    assert reply.ename == "KeyboardInterrupt"
    kernel.wait_until("models.line.state == 'ready'")
    assert kernel.ok("%%tf_run line\nbool(session.run(w) >= count > 2)").text == "True"


def test_python_in_a_room_is_interrupted_as_ever(kernel: Kernel) -> None:
    kernel.ok("import pathlib, time")
    assert interrupted(kernel, '%%tf_run line\npathlib.Path("started").touch()\ntime.sleep(600)').ename == (
        "KeyboardInterrupt"
    )
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


def test_an_await_in_a_room_is_interrupted(kernel: Kernel) -> None:
    kernel.ok("import asyncio, pathlib")
    cell = '%%tf_run line\npathlib.Path("started").touch()\nawait asyncio.sleep(600)'
    assert interrupted(kernel, cell).ename == "KeyboardInterrupt"
    assert kernel.ok("%%tf_run line\nawait asyncio.sleep(0, 'on')").text == "'on'"


def test_a_building_cell_that_is_interrupted_leaves_the_former_room_in_place(kernel: Kernel) -> None:
    kernel.ok("import pathlib, time")
    rebuilt = LINE + 'pathlib.Path("started").touch()\ntime.sleep(600)'
    assert interrupted(kernel, rebuilt).ename == "KeyboardInterrupt"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
