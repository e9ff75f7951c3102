"""``%tf_model stop``: wait for an interrupted run, or cancel it and keep the weights."""

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

TRAINED = """
%%tf_model trained --inputs x --outputs y
import pathlib
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [], name="x")
w = v1.get_variable("w", initializer=tf.constant([1.0, 2.0]))
old = v1.get_variable("old", initializer=3.0, use_resource=False)
table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], [10.0, 20.0]), 0.0)
y = tf.reduce_sum(w) * x + old + table.lookup(tf.constant(2))
with tf.control_dependencies([w.assign_add([5.0, 5.0])]):
    started = v1.py_func(lambda value: (pathlib.Path("started").touch(), value)[1], [x], tf.float32)
with tf.control_dependencies([started]):
    stuck = v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="stuck")
"""
"""A model with two kinds of variable and a table; ``stuck`` makes half a step and then never ends."""

POOL = """
%%tf_model pool --inputs x --outputs y
import os, pathlib, threading
import tensorflow as tf
v1 = tf.compat.v1
release = threading.Event()

def hold(value):
    pathlib.Path("started").touch()
    release.wait()
    return value

x = v1.placeholder(tf.float32, [], name="x")
w = v1.get_variable("w", initializer=5.0)
held = [v1.py_func(hold, [x + float(number)], tf.float32) for number in range(2 * os.cpu_count())]
y = tf.add_n(held)
free = w + 0.0
"""
"""A model whose run holds every thread of TensorFlow's pool, in Python, until ``release`` is set."""

SLOW_LOOP = """
import pathlib, time
import keras, numpy as np, tensorflow as tf

class Slow(keras.layers.Layer):
    def call(self, x):
        for _ in range(600 if tf.executing_eagerly() else 0):
            pathlib.Path("started").touch()
            time.sleep(0.1)
        return x

class Endless(tf.Module):
    def __init__(self):
        self.steps = tf.Variable(0.0)
    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def __call__(self, x):
        tf.py_function(lambda: pathlib.Path("started").touch(), [], [])
        while x > 0.0:
            self.steps.assign_add(1.0)
        return x

slow = keras.Sequential([keras.Input([2]), keras.layers.Dense(1), Slow()])
endless = Endless()
"""


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    kernel.ok(LINE)
    kernel.ok("from tfmagic import models")
    yield kernel
    kernel.ok("for model in models.values(): model.names.get('release') and model.names['release'].set()")


def test_a_model_that_does_nothing_has_nothing_to_stop(kernel: Kernel) -> None:
    assert kernel.ok("%tf_model stop line").text == "line: there was nothing to stop"
    assert kernel.ok("%tf_model stop line --now").text == "line: there was nothing to stop"
    kernel.ok("import keras")
    kernel.ok("%tf_model add live (keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]))")
    assert kernel.ok("%tf_model stop live line").text == (
        "live: there was nothing to stop\nline: there was nothing to stop"
    )


def test_stop_waits_until_the_interrupted_run_has_ended(kernel: Kernel) -> None:
    kernel.ok(HELD)
    interrupted(kernel, "%tf_run held 1")
    kernel.ok("import threading\nthreading.Timer(0.7, models.held.names['release'].set).start()")
    assert kernel.ok("%tf_model stop held").text.startswith("held: its run has ended, after ")
    assert kernel.value("models.held.state") == "'ready'"
    assert kernel.ok("%tf_run held 1").text == "np.float32(6.0)"


def test_a_stop_that_waits_can_be_interrupted(kernel: Kernel) -> None:
    kernel.ok(STUCK)
    interrupted(kernel, "%tf_run stuck 1")
    kernel.ok("import pathlib")
    assert interrupted(kernel, "pathlib.Path('started').touch()\n%tf_model stop stuck").ename == "KeyboardInterrupt"
    assert kernel.value("models.stuck.state") == "'stopping'"


def test_a_stopping_model_says_how_to_wait_and_how_to_cancel(kernel: Kernel) -> None:
    kernel.ok(STUCK)
    advice = "%tf_model stop stuck waits for the present run, %tf_model stop stuck --now cancels it"
    assert interrupted(kernel, "%tf_run stuck 1").evalue == f"stuck is stopping: {advice}"
    said = kernel.refused("%tf_run stuck 1")
    assert said.startswith("model 'stuck' is still stopping: it was interrupted ")
    assert said.endswith("%tf_model stop stuck waits for it, %tf_model stop stuck --now cancels it")


@pytest.mark.parametrize("cell", ["%tf_run trained 1 --fetch stuck", "%%tf_run trained\nsession.run(stuck, {x: 1.0})"])
def test_stop_now_cancels_and_keeps_the_variables_as_they_stand(kernel: Kernel, cell: str) -> None:
    kernel.ok(TRAINED)
    kernel.ok("%%tf_run trained\nw.load([2.0, 3.0], session); old.load(7.0, session)")
    assert interrupted(kernel, cell).ename == "KeyboardInterrupt"
    assert kernel.value("models.trained.state") == "'stopping'"
    said = kernel.ok("%tf_model stop trained --now").text
    assert said == "trained: its run was cancelled, and its 2 variables kept (a half-finished step may show)"
    assert kernel.value("models.trained.state") == "'ready'"
    assert kernel.ok("%%tf_run trained\nsession.run([w, old])").text == (
        "[array([7., 8.], dtype=float32), np.float32(7.0)]"
    )
    assert kernel.ok("%tf_run trained 1").text == "np.float32(42.0)"
    # What is added later is initialised, and what was put back is not.
    kernel.ok("%%tf_run trained\nmore = v1.get_variable('more', initializer=1.0)")
    assert kernel.ok("%%tf_run trained\nsession.run([w, more])").text == (
        "[array([7., 8.], dtype=float32), np.float32(1.0)]"
    )
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


def test_stop_now_cancels_a_run_that_holds_every_thread_of_the_pool_in_python(kernel: Kernel) -> None:
    kernel.ok(POOL)
    kernel.ok("%%tf_run pool\nw.load(9.0, session)")
    release = "models.pool.names['release']"
    kernel.ok(f"release = {release}")
    assert interrupted(kernel, "%tf_run pool 1").ename == "KeyboardInterrupt"
    began = time.monotonic()
    assert "its 1 variable kept" in kernel.ok("%tf_model stop pool --now").text
    assert time.monotonic() - began < 10
    assert kernel.value("models.pool.state") == "'ready'"
    kernel.ok("release.set()")
    assert kernel.ok("%tf_run pool --fetch free").text == "np.float32(9.0)"


def test_a_model_whose_variables_cannot_be_read_is_reloaded_and_that_is_said(kernel: Kernel) -> None:
    kernel.ok(TRAINED)
    kernel.ok("%%tf_run trained\nw.load([2.0, 3.0], session)")
    interrupted(kernel, "%tf_run trained 1 --fetch stuck")
    kernel.ok("""
        from tfmagic.runtime.state import kept_state as away
        from tfmagic.concurrency import workers as worker
        before = away._READ_S, worker.GRACE_S
        away._READ_S = worker.GRACE_S = 0.0
    """)
    said = kernel.ok("%tf_model stop trained --now").text
    kernel.ok("away._READ_S, worker.GRACE_S = before")
    assert said == (
        "trained: its run was cancelled; its variables could not be read within 2 s, "
        "so they are those of its source again"
    )
    assert kernel.ok("%%tf_run trained\nsession.run(w)").text == "array([1., 2.], dtype=float32)"
    assert kernel.ok("%tf_run trained 1").text == "np.float32(26.0)"


def test_a_dropped_model_that_is_stuck_gives_way(kernel: Kernel) -> None:
    kernel.ok(POOL)
    kernel.ok("release = models.pool.names['release']")
    interrupted(kernel, "%tf_run pool 1")
    began = time.monotonic()
    assert kernel.ok("%tf_model drop pool").text.startswith("dropped: pool (")
    assert time.monotonic() - began < 20, "by itself it would never end"
    kernel.ok("release.set()")
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


@pytest.mark.parametrize("call", ["%tf_run {} {}", "models.{}({})"])
@pytest.mark.parametrize(("model", "value"), [("slow", "np.zeros([1, 2])"), ("endless", "1.0")])
def test_an_eager_call_ends_soon_after_it_was_interrupted(kernel: Kernel, model: str, value: str, call: str) -> None:
    kernel.ok(SLOW_LOOP)
    kernel.ok(f"from tfmagic import models\n%tf_model add {model} {model}")
    assert interrupted(kernel, call.format(model, value)).ename == "KeyboardInterrupt"
    kernel.wait_until(f"models.{model}.state == 'ready'")
    assert kernel.value("models.records()[-1]['last_error'] is None") == "True"
    if model == "endless":
        assert kernel.value("float(endless.steps) > 0") == "True"
        assert kernel.ok("%tf_run endless 0.0").text == "np.float32(0.0)"


@pytest.mark.parametrize("verb", ["stop", "stop --now"])
def test_an_eager_call_that_was_interrupted_can_be_waited_for(kernel: Kernel, verb: str) -> None:
    kernel.ok(SLOW_LOOP)
    kernel.ok("%tf_model add endless endless")
    interrupted(kernel, "%tf_run endless 1.0")
    said = kernel.ok(f"%tf_model {verb} endless").text
    # It may have ended by itself before.
    assert said.startswith(("endless: its run has ended", "endless: its call was cancelled", "endless: there was"))
    assert kernel.ok("%tf_run endless 0.0").text == "np.float32(0.0)"


def test_bad_input(kernel: Kernel) -> None:
    assert kernel.refused("%tf_model stop") == "a model's name was expected: %tf_model stop NAME..."
    assert kernel.refused("%tf_model stop lime") == "there is no model 'lime' (did you mean 'line'?)"
    assert kernel.refused("%tf_model stop line lime") == "there is no model 'lime' (did you mean 'line'?)"
    assert "--later" in kernel.refused("%tf_model stop line --later")
    assert kernel.refused("%tf_model stop line --now=yes") == "--now takes no value, and 'yes' was given"
