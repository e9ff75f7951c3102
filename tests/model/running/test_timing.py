"""Timing a call as ``%timeit`` does."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph

from tfmagic import models
from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.errors import InputError, RunTimeoutError
from tfmagic.model.running.timing import Timing, measured

pytestmark = pytest.mark.slow


class Clock:
    """A clock that a call puts forward."""

    def __init__(self, seconds_a_call: float) -> None:
        self.now = 0.0
        self.calls = 0
        self._seconds = seconds_a_call

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.calls += 1
        self.now += self._seconds


@pytest.mark.parametrize(
    ("seconds", "loops"), [(1e-5, 20_000), (0.0005, 500), (0.011, 20), (0.05, 5), (0.15, 2), (0.2, 1), (3.0, 1)]
)
def test_as_many_loops_are_made_as_take_a_fifth_of_a_second(seconds: float, loops: int) -> None:
    clock = Clock(seconds)
    found, runs = measured(clock.call, 4, clock=clock)
    assert found == loops
    np.testing.assert_allclose(runs, [seconds * loops] * 4, rtol=1e-6)


def test_a_slow_call_is_made_once_more_than_asked() -> None:
    clock = Clock(5.0)
    measured(clock.call, 3, clock=clock)
    assert clock.calls == 4


def test_the_first_call_is_not_timed() -> None:
    clock = Clock(0.5)

    def call() -> None:
        clock.call()
        clock.now += 60 if clock.calls == 1 else 0

    assert measured(call, 2, clock=clock) == (1, [0.5, 0.5])


def test_nothing_more_is_called_once_the_caller_has_gone() -> None:
    scope = CancelScope()
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            scope.cancel()

    with scope, pytest.raises(KeyboardInterrupt):
        measured(call, 7)
    assert calls == 5


def test_a_timing_has_the_attributes_of_timeit() -> None:
    timing = Timing("net", 10, [1.0, 3.0])
    assert (timing.repeat, timing.loops, timing.all_runs) == (2, 10, [1.0, 3.0])
    assert timing.timings == [0.1, 0.3]
    assert timing.average == pytest.approx(0.2)
    assert timing.stdev == pytest.approx(0.1)
    assert (timing.best, timing.worst) == (0.1, 0.3)
    assert repr(timing) == "<timing of net: 0.2 s a call, 2 runs of 10>"


def test_the_figures_are_those_of_ipython() -> None:
    magics = pytest.importorskip("IPython.core.magics.execution")
    runs = [0.21, 0.25, 0.2, 0.3]
    theirs = magics.TimeitResult(100, 4, min(runs) / 100, max(runs) / 100, runs, 0.0, 3)
    ours = Timing("net", 100, runs)
    assert ours.average == pytest.approx(theirs.average)
    assert ours.stdev == pytest.approx(theirs.stdev)
    assert (ours.best, ours.worst, ours.timings) == (theirs.best, theirs.worst, theirs.timings)


def test_the_record_is_plain_data_and_one_run_has_no_deviation() -> None:
    assert Timing("net", 10, [2.0]).record() == {
        "model": "net",
        "repeat": 1,
        "loops": 10,
        "mean_s": 0.2,
        "deviation_s": None,
        "best_s": 0.2,
        "worst_s": 0.2,
        "runs_s": [0.2],
    }


# -- of a model -------------------------------------------------------------------------


@pytest.fixture
def net() -> Any:
    graph, _, _ = scale_graph(2.0)
    return models.add("net", graph)


def test_a_model_is_timed(net: Any) -> None:
    timing = net.timed([1.0, 2.0], repeat=2)
    assert isinstance(timing, Timing)
    assert (timing.model, timing.repeat) == ("net", 2)
    assert sum(timing.all_runs) >= 0.3
    assert 0 < timing.best <= timing.average <= timing.worst
    # The calls are calls like others: the untimed one, those that found the number, and the runs.
    assert net.record()["calls"] > timing.loops * 2


def test_named_inputs_fetches_and_signatures_are_timed_too(net: Any) -> None:
    assert net.timed(x=[1.0], repeat=1, fetch="y").repeat == 1
    assert net.timed({"x": [1.0]}, repeat=1, signature="serving_default").repeat == 1


def test_seven_runs_are_made_unless_said_otherwise(net: Any) -> None:
    assert net.timed([1.0]).repeat == 7


@pytest.mark.parametrize("repeat", [0, -1, 1.5, "many", True])
def test_an_impossible_number_of_runs_is_refused_before_anything_runs(net: Any, repeat: Any) -> None:
    with pytest.raises(InputError, match="repeat takes a whole number from 1 on"):
        net.timed([1.0], repeat=repeat)
    assert net.record()["calls"] == 0


def test_a_wrong_input_is_the_error_that_a_run_gives(net: Any) -> None:
    with pytest.raises(InputError, match="net: input 'x' takes float32"):
        net.timed([["a"]], repeat=1)


def test_garbage_collection_is_off_while_it_runs_and_on_again_after_it() -> None:
    seen: list[bool] = []

    def note(x: Any) -> Any:
        seen.append(gc.isenabled())
        return x

    net = models.add("net", tf.function(lambda x: tf.numpy_function(note, [x], tf.float32)))
    net.timed(np.float32(1), repeat=1)
    assert not any(seen)
    assert gc.isenabled()
    with pytest.raises(InputError):
        net.timed(1.0, y=2.0, repeat=1)
    assert gc.isenabled()


def test_a_deadline_ends_it_and_no_call_follows() -> None:
    calls = 0
    go = threading.Event()

    def hold(x: Any) -> Any:
        nonlocal calls
        calls += 1
        go.wait(60)
        return x

    net = models.add("net", tf.function(lambda x: tf.numpy_function(hold, [x], tf.float32)))
    go.set()
    net(np.float32(0))  # traced, so that the timed call is held at once
    go.clear()
    with pytest.raises(RunTimeoutError, match=r"net: no answer within 0\.3 s"):
        net.timed(np.float32(1), repeat=3, timeout=0.3)
    assert gc.isenabled()
    go.set()
    net.stop()
    assert calls == 2
