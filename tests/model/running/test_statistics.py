"""The figures of calls: what a person stopped is no call, and what prepares calls is in no median."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell
from trained_cells import X, linear

from tfmagic import models, run_all
from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError, RunTimeoutError
from tfmagic.model.running.placement_probe import probe
from tfmagic.panel.views.model_pages import ModelPage

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("parks_here")

begun, release = threading.Event(), threading.Event()


def _wait(x: Any) -> Any:
    if x > 0:
        begun.set()
        release.wait(30)
    return x


def waiting(*, copy: bool) -> Any:
    """Return a model whose calls with a number above zero wait until they are released."""
    begun.clear()
    release.clear()

    class Waits(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            return tf.numpy_function(_wait, [x], tf.float32)

    return models.add("net", Waits(), copy=copy)


@pytest.mark.parametrize("copy", [True, False])
def test_a_run_that_a_person_stopped_is_no_call_no_latency_and_no_error(*, copy: bool) -> None:
    model = waiting(copy=copy)
    model(0.0)
    before = model.record()
    scope = CancelScope()
    job = workers().submit(lambda: model.run(1.0), scope)
    assert begun.wait(30)
    # As Ctrl-C does for the run that it stops waiting for.
    scope.cancel()
    assert model.state == "stopping"
    with pytest.raises(ModelStateError, match="is still stopping: it was interrupted"):
        model(0.0)
    release.set()
    assert job.done.wait(30)
    after = model.record()
    figures = ("calls", "last_latency_s", "median_latency_s", "last_error")
    assert [after[figure] for figure in figures] == [before[figure] for figure in figures]
    assert after["state"] == "ready"
    model(0.0)
    assert model.calls == 2


def test_its_model_says_so_until_the_next_call() -> None:
    model = linear().model
    model(X)
    with pytest.raises(KeyboardInterrupt):
        run_cell(model, "raise KeyboardInterrupt")
    assert model.record()["stopped"]
    assert "stopped by you" in repr(ModelPage(model.record()))
    model(X)
    assert "stopped by you" not in repr(ModelPage(model.record()))


def test_a_call_that_was_late_says_after_how_long() -> None:
    model = waiting(copy=True)
    with pytest.raises(RunTimeoutError):
        model.run(1.0, timeout=0.2)
    release.set()
    model.stop()
    assert model.last_error == "no answer within 0.2 s"
    assert model.calls == 0


class Slow:
    """A value that NumPy has to wait for."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        release.wait(30)
        return X


def test_a_call_whose_time_was_over_before_it_began_was_late_too() -> None:
    model = linear().model
    release.clear()
    with pytest.raises(RunTimeoutError):
        model.run(Slow(), timeout=0.1)
    assert model.last_error == "no answer within 0.1 s"
    release.set()


def test_of_models_that_run_side_by_side_those_that_are_late_say_so() -> None:
    model = waiting(copy=True)
    with pytest.raises(RunTimeoutError):
        run_all({"net": 1.0}, timeout=0.2)
    assert model.last_error == "no answer within 0.2 s"
    release.set()
    model.stop()


def parked(model: Any) -> None:
    model.park()


def other_fetches(model: Any) -> None:
    model.run(X, fetch="MatMul:0")


@pytest.mark.parametrize("then", [parked, other_fetches, lambda _: None])
def test_the_median_leaves_calls_that_prepare_others_out(then: Callable[[Any], None]) -> None:
    model = linear().model
    seen = []
    model(X)
    # The only call is the best that is known.
    assert model.median_latency_s == model.last_latency_s
    for _ in range(3):
        model(X)
        seen.append(model.last_latency_s)
    then(model)
    if then is parked:
        model(X)
    assert model.median_latency_s == np.median(seen)


def test_a_call_of_another_shape_prepares_a_live_function_again() -> None:
    model = models.add("net", tf.function(lambda x: x * 2.0))
    model(np.ones(2, np.float32))
    model(np.ones(2, np.float32))
    second = model.last_latency_s
    model(np.ones(3, np.float32))
    assert model.calls == 3
    assert model.median_latency_s == second


def test_the_peak_of_a_run_is_that_of_the_largest_real_one() -> None:
    code = (
        "x = tf.compat.v1.placeholder(tf.float32, [None, 1000])\ny = tf.reduce_sum(tf.exp(x) @ tf.ones([1000, 1000]))"
    )
    model = add_cell("net", code, {"tf": tf}).model
    peaks = []
    for rows in (1000, 1):
        model.run(np.ones([rows, 1000], np.float32), trace=True)
        peaks.append(model.trace.peak_bytes)
    probe(model.caller)
    assert model.record()["run_peak_bytes"] == peaks[0] > peaks[1]


def test_a_run_on_zeros_gives_the_peak_before_there_is_a_real_run() -> None:
    model = linear().model
    probe(model.caller)
    guess = model.record()["run_peak_bytes"]
    assert guess == model.trace.peak_bytes
    model.run(X, trace=True)
    assert model.record()["run_peak_bytes"] == model.trace.peak_bytes
