"""How long a call of a model takes, measured as ``%timeit`` does."""

from __future__ import annotations

import gc
import statistics
import time
from itertools import repeat as times
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.core.arguments import whole_number
from tfmagic.model.running.deadline import call_scope, wait_for_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.model.running.caller import Caller

# The length of a run as in timeit: long against the clock's resolution.
_RUN_S = 0.2


class TimingRecord(TypedDict):
    """A timing as plain data: `repeat` runs of `loops` calls each; every duration is of one call.

    Attributes
    ----------
    deviation_s
        The standard deviation over the runs; None for a single run.
    """

    model: str
    repeat: int
    loops: int
    mean_s: float
    deviation_s: float | None
    best_s: float
    worst_s: float
    runs_s: list[float]


class Timing:
    """The result of timing a call, with the attributes of ``%timeit -o``.

    Attributes
    ----------
    model : str
        The model's name.
    loops : int
        How many calls each run made.
    all_runs : list of float
        The seconds of each run, with all its calls.
    """

    def __init__(self, model: str, loops: int, all_runs: Sequence[float]) -> None:
        self.model = model
        self.loops = loops
        self.all_runs = list(all_runs)

    @property
    def repeat(self) -> int:
        """How many runs there were."""
        return len(self.all_runs)

    @property
    def timings(self) -> list[float]:
        """For each run the seconds of one call."""
        return [run / self.loops for run in self.all_runs]

    @property
    def average(self) -> float:
        """The mean over the runs, in seconds a call."""
        return statistics.fmean(self.timings)

    @property
    def stdev(self) -> float | None:
        """The standard deviation over the runs, in seconds a call; None for a single run."""
        # The population's, as in %timeit.
        return statistics.pstdev(self.timings) if self.repeat > 1 else None

    @property
    def best(self) -> float:
        """The fastest run, in seconds a call."""
        return min(self.timings)

    @property
    def worst(self) -> float:
        """The slowest run, in seconds a call."""
        return max(self.timings)

    def record(self) -> TimingRecord:
        """Return the figures as plain data."""
        return {
            "model": self.model,
            "repeat": self.repeat,
            "loops": self.loops,
            "mean_s": self.average,
            "deviation_s": self.stdev,
            "best_s": self.best,
            "worst_s": self.worst,
            "runs_s": self.timings,
        }

    def __repr__(self) -> str:
        """Say what was timed."""
        runs = "1 run" if self.repeat == 1 else f"{self.repeat} runs"
        return f"<timing of {self.model}: {self.average:.3g} s a call, {runs} of {self.loops}>"


@defer_interrupts
def timed(
    caller: Caller,
    value: Any,
    inputs: Mapping[str, Any],
    *,
    repeat: int,
    fetch: Sequence[str] | str | None = None,
    signature: str | None = None,
    timeout: float | None = None,
) -> Timing:
    """Time ``model.run(value, **inputs)``; the parameters and errors are those of `Model.timed`."""
    count = whole_number("repeat", repeat)

    def call() -> None:
        caller.run(caller.request(value, inputs, fetch=fetch, signature=signature))

    def measure() -> Timing:
        return Timing(caller.lifecycle.name, *measured(call, count))

    # Without garbage collection, as in timeit; set in the thread that waits, since the call may never return.
    collects = gc.isenabled()
    # As in a program: prepared calls, whose native runs have no deadline.
    with call_scope(timeout, limits_native_runs=False):
        gc.disable()
        try:
            return wait_for_call(caller.lifecycle, measure)
        finally:
            if collects:
                gc.enable()


def measured(
    call: Callable[[], object],
    repeat: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, list[float]]:
    """Return how many calls a run makes, and the seconds of each run; `clock` returns the seconds.

    The first call is not timed: it prepares the others. A run makes as many calls as take a
    fifth of a second. The run that shows this number is the first that counts, so that a slow
    call is made only once more than asked. A cancelled scope ends the timing with its error.
    """
    scope = current_scope()

    def run(loops: int) -> float:
        began = clock()
        for _ in times(None, loops):
            if scope is not None and scope.cancelled:
                scope.check()
            call()
        return clock() - began

    run(1)
    loops, power = 1, 1
    first = run(loops)
    while first < _RUN_S:
        for digit in (2, 5, 10):
            loops = digit * power
            first = run(loops)
            if first >= _RUN_S:
                break
        power *= 10
    return loops, [first, *(run(loops) for _ in range(repeat - 1))]
