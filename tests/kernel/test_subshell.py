"""Two shells of one kernel: they wait for each other's turn at a model, and for nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kernel.cells import HELD, LINE, PAIR, STUCK
from kernel.harness import PATIENCE_S
from kernel.subshell import Subshell, at_once

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

BUSY = """
%%tf_run line
pathlib.Path("started").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
order.append("main")
"""
"""A cell in the room of ``line`` that is busy until there is a file ``go``."""


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    for name in ("go", "started", "other"):
        (kernel.folder / name).unlink(missing_ok=True)
    kernel.ok(LINE)
    kernel.ok(PAIR)
    kernel.ok("import pathlib, time\nfrom tfmagic import models\norder = []")
    return kernel


@pytest.fixture
def subshell(kernel: Kernel) -> Iterator[Subshell]:
    made = Subshell(kernel)
    yield made
    (kernel.folder / "go").touch()
    made.stop()


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists():
        assert time.monotonic() < deadline, f"there is no {file}"
        time.sleep(0.01)


def test_a_subshell_answers_while_a_cell_is_busy_in_a_room(kernel: Kernel, subshell: Subshell) -> None:
    with at_once(kernel, BUSY) as busy:
        wait_for(kernel.folder / "started")
        assert subshell.ok("%tf_run pair a=[1] b=[2] --fetch total").text == "array([3.], dtype=float32)"
        assert subshell.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
        assert "running" in subshell.ok("%tf_model list").text
        assert subshell.ok("%tf_model stop pair").text == "pair: there was nothing to stop"
        assert subshell.ok("%%tf_run pair\nkept = 3\nsession.run(total, {a: [1.0], b: [1.0]})").text == (
            "array([2.], dtype=float32)"
        )
        subshell.ok(LINE.replace("line", "third").replace("2.0", "5.0"))
        assert subshell.ok("%tf_run third [[1, 2]]").text == "array([[ 5., 10.]], dtype=float32)"
        assert subshell.ok("%tf_model drop third").text.startswith("dropped: third (")
        assert not busy.done()
        (kernel.folder / "go").touch()
    assert busy.result().status == "ok"


@pytest.mark.parametrize(
    "cell", ["%%tf_run line\norder.append('sub')", "%tf_model save line saved", "%tf_model drop line", LINE]
)
def test_what_changes_a_model_waits_for_its_turn(kernel: Kernel, subshell: Subshell, cell: str) -> None:
    with at_once(kernel, BUSY) as busy:
        wait_for(kernel.folder / "started")
        with at_once(subshell, cell) as waiting:
            time.sleep(0.5)
            assert not waiting.done()
            (kernel.folder / "go").touch()
    assert busy.result().status == "ok"
    assert waiting.result().status == "ok", waiting.result()
    assert kernel.value("order[0]") == "'main'"


def test_a_line_in_a_cell_of_the_same_model_does_not_wait_for_the_cell(kernel: Kernel, subshell: Subshell) -> None:
    for shell in (kernel, subshell):
        assert (
            shell.ok("""
            %%tf_run line
            import asyncio
            %tf_run line [[1, 2]] -o first
            await asyncio.sleep(0)
            get_ipython().run_cell_magic("tf_run", "line", "inner = 1")
            first.tolist(), inner
        """).text
            == "([[2.0, 4.0]], 1)"
        )


def test_waiting_for_a_turn_can_be_interrupted(kernel: Kernel, subshell: Subshell) -> None:
    with at_once(subshell, BUSY) as busy:
        wait_for(kernel.folder / "started")
        kernel.ok("import os, threading\nthreading.Timer(0.5, os.kill, [os.getpid(), 2]).start()")
        reply = kernel.run("%%tf_run line\norder.append('never')")
        assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
        (kernel.folder / "go").touch()
    assert busy.result().status == "ok"
    assert kernel.value("order") == "['main']"
    assert kernel.ok("%%tf_run line\n1 + 1").text == "2"


@pytest.mark.parametrize(
    "cell",
    [
        "%tf_run held 1",
        "%%tf_run held\nsession.run(y, {x: 1.0})",
        "%%tf_run held\nawait asyncio.to_thread(int)\ny.eval({x: 1.0})",
    ],
)
def test_stop_now_ends_what_the_other_shell_runs(kernel: Kernel, subshell: Subshell, cell: str) -> None:
    kernel.ok(HELD)
    kernel.ok("import asyncio\nrelease = models.held.names['release']")
    kernel.ok("%%tf_run held\nw.load(7.0, session)")
    (kernel.folder / "started").unlink(missing_ok=True)
    with at_once(kernel, cell) as busy:
        wait_for(kernel.folder / "started")
        assert "its 1 variable kept" in subshell.ok("%tf_model stop held --now").text
        subshell.ok("release.set()")
    assert busy.result().usage_error == "model 'held' was stopped while this ran (stop --now): run it again"
    assert kernel.value("models.held.state") == "'ready'"
    assert kernel.ok("%tf_run held 1").text == "np.float32(8.0)"


def test_stop_waits_for_what_the_other_shell_runs(kernel: Kernel, subshell: Subshell) -> None:
    with at_once(kernel, BUSY) as busy:
        wait_for(kernel.folder / "started")
        with at_once(subshell, "%tf_model stop line") as waiting:
            time.sleep(0.3)
            assert not waiting.done()
            (kernel.folder / "go").touch()
    assert busy.result().status == "ok"
    assert waiting.result().text.startswith("line: its run has ended, after ")


@pytest.mark.parametrize(
    "body", ["while True: count = session.run(up)", "while True: time.sleep(0.01)", "await asyncio.sleep(600)"]
)
def test_stop_now_ends_a_cell_wherever_it_is(kernel: Kernel, subshell: Subshell, body: str) -> None:
    kernel.ok("import asyncio")
    cell = f"%%tf_run line\nup = w.assign_add(1.0)\nsession.run(up)\npathlib.Path('started').touch()\n{body}"
    with at_once(kernel, cell) as busy:
        wait_for(kernel.folder / "started")
        time.sleep(0.2)
        assert subshell.ok("%tf_model stop line --now").text.startswith("line: its run was cancelled")
    assert busy.result().usage_error == "model 'line' was stopped while this ran (stop --now): run it again"
    assert kernel.ok("%%tf_run line\nbool(session.run(w) >= 3.0)").text == "True"


def test_stop_now_ends_training_in_the_room_of_a_live_model(kernel: Kernel, subshell: Subshell) -> None:
    kernel.ok("""
        import keras, numpy as np
        live = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
        live.compile("sgd", "mse")
        class Begun(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                pathlib.Path("started").touch()
        %tf_model add live live
    """)
    fit = (
        "this.live.fit(np.ones([64, 2]), np.ones([64, 1]), batch_size=1, epochs=10**6, verbose=0, callbacks=[Begun()])"
    )
    with at_once(kernel, f"%%tf_run live\n{fit}") as busy:
        wait_for(kernel.folder / "started")
        assert "weights are the object's own" in subshell.ok("%tf_model stop live --now").text
    assert busy.result().usage_error == "model 'live' was stopped while this ran (stop --now): run it again"
    assert kernel.ok("%tf_run live [[1.0, 2.0]]").text.startswith("array([[")
    kernel.ok("live.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)")


def test_a_cell_in_a_subshell_is_ended_from_the_main_shell(kernel: Kernel, subshell: Subshell) -> None:
    kernel.ok(STUCK)
    for cell in ("%tf_run stuck 1", "%%tf_run stuck\npathlib.Path('started').touch()\nwhile True: time.sleep(0.01)"):
        (kernel.folder / "started").unlink(missing_ok=True)
        with at_once(subshell, cell) as busy:
            wait_for(kernel.folder / "started")
            assert kernel.ok("%tf_model stop stuck --now").text == "stuck: its run was cancelled"
        assert "stop --now" in busy.result().usage_error
    assert kernel.value("models.stuck.state") == "'ready'"


def test_an_eager_call_of_the_other_shell_is_ended(kernel: Kernel, subshell: Subshell) -> None:
    kernel.ok("""
        import tensorflow as tf
        class Endless(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
            def __call__(self, x):
                tf.py_function(lambda: pathlib.Path("started").touch(), [], [])
                while x > 0.0:
                    x += 1.0
                return x
        endless = Endless()
        %tf_model add endless endless
    """)
    with at_once(subshell, "%tf_run endless 1.0") as busy:
        wait_for(kernel.folder / "started")
        assert kernel.ok("%tf_model stop endless --now").text == (
            "endless: its call was cancelled; its weights are the object's own, as they stand"
        )
    assert busy.result().usage_error == "model 'endless' was stopped while this ran (stop --now): run it again"
    assert kernel.ok("%tf_run endless 0.0").text == "np.float32(0.0)"


def test_two_cells_that_want_each_others_models_do_not_wait_for_good(kernel: Kernel, subshell: Subshell) -> None:
    def nested(outer: str, inner: str, mine: str, theirs: str) -> str:
        return f"""
            %%tf_run {outer}
            pathlib.Path("{mine}").touch()
            while not pathlib.Path("{theirs}").exists(): time.sleep(0.01)
            get_ipython().run_cell_magic("tf_run", "{inner}", "done = 1")
        """

    mine, theirs = nested("line", "pair", "started", "other"), nested("pair", "line", "other", "started")
    with at_once(kernel, mine) as first, at_once(subshell, theirs) as second:
        pass
    replies = [first.result(), second.result()]
    assert sorted(reply.status for reply in replies) == ["error", "ok"]
    (refused,) = [reply for reply in replies if reply.status == "error"]
    assert "would wait for each other forever" in refused.usage_error
    assert kernel.ok("%%tf_run line\n1").text == "1"
    assert kernel.ok("%%tf_run pair\n1").text == "1"


def test_a_cell_that_is_busy_for_good_is_ended_by_drop(kernel: Kernel, subshell: Subshell) -> None:
    with at_once(kernel, BUSY) as busy:
        wait_for(kernel.folder / "started")
        assert subshell.ok("%tf_model drop line").text.startswith("dropped: line (")
    assert busy.result().status == "error"
    assert kernel.ok("%tf_run pair a=[1] b=[2] --fetch total").text == "array([3.], dtype=float32)"


def test_tf1_behaviour_in_one_room_is_not_seen_in_the_other_shell(kernel: Kernel, subshell: Subshell) -> None:
    kernel.ok("import keras, numpy as np, tensorflow as tf")
    kernel.ok("live = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])")
    kernel.ok("%tf_model add live live")
    cell = BUSY.replace('pathlib.Path("started")', 'v1.disable_v2_behavior()\npathlib.Path("started")')
    with at_once(kernel, cell + "type(v1.get_variable('v', [2])).__name__, tf.executing_eagerly()") as busy:
        wait_for(kernel.folder / "started")
        subshell.ok("live.compile('sgd', 'mse'); live.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)")
        assert subshell.value("tf.executing_eagerly(), tf.TensorShape([1])[0]") == "(True, 1)"
        assert subshell.value("%tf_run live [[1.0, 2.0]]").startswith("array([[")
        assert subshell.ok("%%tf_run pair\ntype(v1.get_variable('v', [2])).__name__").text == "'ResourceVariable'"
        (kernel.folder / "go").touch()
    assert busy.result().text == "('RefVariable', False)", busy.result()
    assert kernel.value("tf.executing_eagerly(), tf.TensorShape([1])[0]") == "(True, 1)"
