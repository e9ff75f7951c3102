"""Top-level ``await`` in a room's cell, on a loop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with the model ``line``."""
    kernel.ok(LINE)
    return kernel


def test_top_level_await_works_and_its_value_is_displayed(kernel: Kernel) -> None:
    kernel.ok("import asyncio")
    cell = """
        %%tf_run line
        async def doubled(value):
            await asyncio.sleep(0)
            return session.run(y, {x: [[value, value]]})[0, 0]
        first = await doubled(1)
        [float(one) for one in await asyncio.gather(doubled(2), doubled(3))]
    """
    assert kernel.ok(cell).text == "[4.0, 6.0]"
    assert kernel.ok("%%tf_run line\nfloat(first)").text == "2.0"
    assert kernel.value("'first' in globals()") == "False"


def test_async_for_and_async_with_work(kernel: Kernel) -> None:
    cell = """
        %%tf_run line
        import asyncio
        async def numbers():
            for n in range(3):
                yield n
        async with asyncio.timeout(30):
            found = [n async for n in numbers()]
        found
    """
    assert kernel.ok(cell).text == "[0, 1, 2]"


def test_the_rooms_graph_and_session_are_the_current_ones(kernel: Kernel) -> None:
    cell = """
        %%tf_run line
        import asyncio
        await asyncio.sleep(0)
        added = tf.add(y, 1.0, name="added")
        added.eval({x: [[1, 2]]}).tolist(), added.graph is graph
    """
    assert kernel.ok(cell).text == "([[3.0, 5.0]], True)"
    assert kernel.value("__import__('tensorflow').executing_eagerly()") == "True"


def test_awaiting_works_in_a_building_cell(kernel: Kernel) -> None:
    kernel.ok("%%tf_model later\nimport asyncio\nawait asyncio.sleep(0)\n" + LINE.split("\n", 2)[2])
    assert kernel.ok("%tf_run later [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


@pytest.mark.parametrize(
    "made",
    [
        "future = asyncio.get_running_loop().create_future()",
        "async def wait():\n    await asyncio.sleep(60)\nfuture = asyncio.ensure_future(wait())",
    ],
)
def test_an_object_of_the_notebooks_loop_gives_a_clear_error(kernel: Kernel, made: str) -> None:
    kernel.ok(f"import asyncio\nasync def make():\n    pass\n{made}\nawait make()")
    said = kernel.refused("%%tf_run line\nawait future")
    assert "belongs to the notebook's" in said
    assert "await it in an ordinary cell" in said
    kernel.ok("future.cancel();")
    assert kernel.ok("%%tf_run line\n1").text == "1"


def test_an_error_in_a_coroutine_shows_the_cells_own_line(kernel: Kernel) -> None:
    reply = kernel.run("%%tf_run line\nasync def f():\n    1 / 0\nawait f()")
    assert reply.ename == "ZeroDivisionError"
    assert "----> 3     1 / 0" in reply.traceback
    assert "----> 4 await f()" in reply.traceback


def test_the_notebooks_own_loop_goes_on_afterwards(kernel: Kernel) -> None:
    kernel.ok("import asyncio\nfuture = asyncio.get_running_loop().create_future()")
    kernel.ok("%%tf_run line\nimport asyncio\nawait asyncio.sleep(0)")
    assert kernel.ok("future.set_result(3)\nawait future").text == "3"


def test_awaits_use_one_worker_and_leave_it_idle_without_a_loop(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\nimport asyncio\nawait asyncio.sleep(0)")
    kernel.ok("import threading\nfrom tfmagic.concurrency.workers import workers")
    names = "[thread.name for thread in threading.enumerate() if thread.name.startswith('tfmagic-run')]"
    kernel.ok(f"before = {names}")
    kernel.ok("%%tf_run line\nawait asyncio.sleep(0)")
    assert kernel.value(f"{names} == before and len(workers()._idle) == len(before)") == "True"
    kernel.ok("import asyncio")
    assert kernel.value("workers().call(lambda: asyncio.get_event_loop_policy()._local._loop) is None") == "True"
