"""TensorFlow 1's training loops in a room: they train as in plain TensorFlow, and lose nothing without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell
from trained_cells import LINEAR, NAMES, TRAIN, X, linear

from tfmagic import models
from tfmagic.core.notices import notices

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
BUILD = """
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 2], "x")
    w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
    loss = tf.reduce_sum((tf.matmul(x, w) - 1.0) ** 2, name="loss")
    step = v1.train.GradientDescentOptimizer(0.01).minimize(loss, v1.train.get_or_create_global_step())
    feeds = {x: [[1.0, 2.0]]}
"""
# Each takes three steps.
LOOPS = {
    "hooks, summaries, checkpoints": """
v1.summary.scalar("loss", loss)
hooks = [v1.train.StopAtStepHook(num_steps=3), v1.train.NanTensorHook(loss)]
with v1.train.MonitoredTrainingSession(
    checkpoint_dir=folder, save_summaries_steps=1, log_step_count_steps=1, hooks=hooks
) as mine:
    while not mine.should_stop():
        mine.run(step, feeds)
""",
    "two sessions, the second from the checkpoint of the first": """
for last in (1, 3):
    hooks = [v1.train.StopAtStepHook(last_step=last)]
    with v1.train.MonitoredTrainingSession(checkpoint_dir=folder, hooks=hooks) as mine:
        while not mine.should_stop():
            mine.run(step, feeds)
""",
    "scaffold": """
given = v1.placeholder(tf.float32, [2, 1])
assign = w.assign(given)
scaffold = v1.train.Scaffold(init_fn=lambda scaffold, mine: mine.run(assign, {given: [[1.0], [1.0]]}))
with v1.train.MonitoredSession(v1.train.ChiefSessionCreator(scaffold)) as mine:
    for _ in range(3):
        mine.run(step, feeds)
""",
    "a hook of one's own": """
class Three(v1.train.SessionRunHook):
    def begin(self):
        self.step = v1.train.get_global_step()
    def before_run(self, context):
        return v1.train.SessionRunArgs([self.step])
    def after_run(self, context, values):
        if mine_steps.append(values) or len(mine_steps) == 3:
            context.request_stop()
mine_steps = []
with v1.train.SingularMonitoredSession(hooks=[Three()]) as mine:
    while not mine.should_stop():
        mine.run(step, feeds)
""",
    "supervisor": """
supervisor = v1.train.Supervisor(logdir=folder, summary_op=None)
with supervisor.managed_session() as mine:
    for _ in range(3):
        mine.run(step, feeds)
""",
    "threads of one's own": """
import threading
def work():
    v1.get_default_session().run(step, feeds)
with v1.Session() as mine:
    mine.run(v1.global_variables_initializer())
    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_trains_as_in_plain_tensorflow(loop: str, tmp_path: Path) -> None:
    model = add_cell("net", BUILD, NAMES, inputs="x", outputs="loss").model
    run_cell(model, LOOPS[loop], {**NAMES, "folder": str(tmp_path / "train")})
    w = np.ones([2, 1])
    for _ in range(3):
        w -= 0.01 * 2 * (np.array([[1, 2]]) @ w - 1) * [[1], [2]]
    np.testing.assert_allclose(run_cell(model, "session.run(w)"), w, rtol=1e-5)
    assert run_cell(model, "session.run(v1.train.get_global_step())") == 3
    answer = model(X)
    model.save(tmp_path / "net")
    assert models.add("saved", tmp_path / "net")(X) == answer
    models.drop("net")


def test_a_thread_of_a_cell_is_in_the_room_and_one_of_the_notebook_is_not() -> None:
    model = linear().model
    seen = run_cell(
        model,
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        seen = {}
        def look(): seen["cell"] = tf.executing_eagerly(), v1.get_default_graph() is graph
        thread = threading.Thread(target=look)
        thread.start(); thread.join()
        pool = ThreadPoolExecutor(1)
        seen["pool"] = pool.submit(tf.executing_eagerly).result()
        seen
        """,
        NAMES,
    )
    # A pool outlives the cell, and other cells may use it.
    assert seen == {"cell": (False, True), "pool": True}


MONITORED = "with v1.train.MonitoredSession({}) as mine: mine.run(y, {{x: [[1.0, 2.0]]}})"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    return lines


def test_trained_weights_are_not_initialised_again_without_a_word(said: list[str]) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    run_cell(model, MONITORED.format(""), NAMES)
    assert len(said) == 1
    assert said[0].startswith("model 'net': this training session found no checkpoint and initialised ")
    assert "Scaffold(init_op=tf.no_op())" in said[0]


def test_what_a_notice_advises_keeps_the_weights(said: list[str]) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    learnt = model(X)
    creator = "v1.train.ChiefSessionCreator(v1.train.Scaffold(init_op=tf.no_op()))"
    run_cell(model, MONITORED.format(creator), NAMES)
    run_cell(model, "with v1.train.Supervisor(init_op=tf.no_op()).managed_session() as mine: mine.run(w)", NAMES)
    np.testing.assert_array_equal(model(X), learnt)
    assert said == []


def test_weights_of_a_file_are_not_initialised_again_without_a_word(said: list[str], tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as own:
        w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
        tf.matmul(v1.placeholder(tf.float32, [None, 2], "x"), w, name="y")
        own.run(w.assign([[5.0], [6.0]]))
        v1.train.Saver().save(own, str(tmp_path / "net"))
    model = models.add("net", tmp_path / "net.meta")
    run_cell(model, MONITORED.format("").replace("x:", "'x:0':").replace("y,", "'y:0',"), {**NAMES, "v1": v1})
    assert [line.partition(" again")[0].rpartition(" ")[2] for line in said] == ["w"]


@pytest.mark.parametrize("code", [LINEAR, LINEAR.replace("v1.ones_initializer()", "v1.random_normal_initializer()")])
def test_there_is_no_word_where_nothing_was_trained(code: str, said: list[str]) -> None:
    model: Any = linear(code).model
    run_cell(model, MONITORED.format(""), NAMES)
    assert said == []
