"""A call of a graph that is prepared once, and run the quickest way that gives the same results."""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.graphdef.result_aliasing import shared_results
from tfmagic.runtime.calls.equivalence import equivalent_call
from tfmagic.runtime.calls.latency_trial import LatencyTrial
from tfmagic.runtime.graph.native_session import COPIES
from tfmagic.runtime.graph.operations import constants_of, operations_behind
from tfmagic.runtime.tensorflow.private import native_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tfmagic.runtime.graph.native_session import NativeSession
    from tfmagic.runtime.state.run_history import RunHistory

Executor = Literal["caller", "pool"]
"""Whose thread runs the operations: the caller's, or TensorFlow's own."""

POOL, CALLER, FOLDED, LITE = "pool", "caller", "folded", "lite"

MOST_CONSTANTS_BYTES = 4_000_000
"""A graph with more constants is prepared in one way only: each way copies them."""

# So quick a call is tried with a larger batch, too, when it is warmed.
_QUICK_S = 0.0002
# A change of threads is less than a hundredth of so long a run.
_LONG_S = 0.005
# Calls are of one size while their inputs differ by less than a factor of 16 in elements.
_BITS_A_SIZE = 2


@dataclass(frozen=True)
class FoldedCall:
    """A call in which variables are constants; `close` frees what it holds, also while it runs."""

    call: Callable[..., list[Any]]
    weights_bytes: int
    close: Callable[[], None]


class Folding(Protocol):
    """Turns the variables of a graph into constants."""

    def fold(
        self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str], *, executor: Executor
    ) -> dict[str, FoldedCall]:
        """Return the ways to run a call with constants: ``folded``, ``lite``, or none."""


@dataclass(frozen=True)
class Preparation:
    """How calls of a graph are prepared.

    `folding` is None where variables have to stay variables, and `executor` None for the quickest
    thread. `grows` is whether operations may be added once the graph is open.
    """

    folding: Folding | None = None
    executor: Executor | None = None
    grows: bool = True


class OpenedGraph(Protocol):
    """A graph with its native session."""

    native: NativeSession
    history: RunHistory
    preparation: Callable[[], Preparation]

    @property
    def calls(self) -> list[PreparedCall]:
        """The calls that were prepared on it."""

    def kept_feeds(self, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return which feeds a run could keep, so that they must be copied first."""


class PreparedCall:
    """One set of feeds and fetches on an open graph.

    Its first calls run in TensorFlow's pool, the next ones in the caller's thread
    (``inter_op_thread_pool = -1``: no change of threads, and no branches side by side).
    Both give the same bits. Later calls of about that size run in the quicker way.
    Ways with folded variables may differ by rounding. Only `choose_executor` tries these,
    and only while nothing has written to a variable. `used` grows with each use of any
    prepared call: the smallest is the least recently used.
    """

    def __init__(self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str]) -> None:
        self.feeds, self.fetches = tuple(feeds), tuple(fetches)
        self._opened = opened
        self._graph = opened.native.graph
        self.used = 0
        self._constants_bytes: int | None = None
        self._ways: dict[str, Callable[..., list[Any]]] = {}
        self._folded: dict[str, FoldedCall] = {}
        self._is_folding_tried = False
        self._folded_at_age = -1
        # By the calls' size. A size without a trial is run as the nearest size with one.
        self._trials: dict[int, LatencyTrial] = {}
        self._chosen: dict[int, Callable[..., list[Any]]] = {}
        self._measuring = threading.Lock()
        self._usual = self._prepare(opened.preparation().executor or POOL)
        self._results_to_copy = shared_results(self._graph, feeds, fetches)
        self._feeds_to_copy = opened.kept_feeds(self.feeds, self.fetches)

    def __call__(self, values: Sequence[np.ndarray]) -> list[Any]:
        """Run it with these arrays, in the order of `feeds`; the caller may change them and the results later."""
        if self._feeds_to_copy:
            values = list(values)
            for index in self._feeds_to_copy:
                values[index] = values[index].copy()
        if self._folded and self._folded_at_age != self._opened.history.age:
            self._unfold_if_written()
        size = _size_of(values)
        call = self._chosen.get(size) or self._folded_call(size)
        results = self._measure(size, values, (POOL, CALLER)) if call is None else call(*values)
        for index in self._results_to_copy:
            if isinstance(results[index], np.ndarray):
                results[index] = results[index].copy()
        return results

    @property
    def chosen(self) -> LatencyTrial | None:
        """The trial of the size for which a way was chosen last; None before."""
        return next((self._trials[size] for size in reversed(list(self._chosen)) if size in self._trials), None)

    @property
    def folded_bytes(self) -> int:
        """The size of the variables that are constants here, beside their own memory."""
        return sum(folded.weights_bytes for folded in list(self._folded.values()))

    @property
    def held_bytes(self) -> int:
        """The size of its copies of the graph's constants, and of the variables that are constants."""
        if self._constants_bytes is None:
            self._constants_bytes = constants_of(operations_behind(self._graph, self.fetches))
        return self.folded_bytes + COPIES * self._constants_bytes * len(self._ways.keys() & {POOL, CALLER})

    def choose_executor(self, batches: Sequence[Sequence[np.ndarray]], seconds: float) -> None:
        """Choose how to run calls by making some now, for so many seconds with each batch; also try folded variables.

        Batches after the first are used only for quick calls. A `TimeoutError` ends it at the deadline.
        """
        self._measure_until(batches[0], seconds)
        with self._measuring:
            if not self._is_folding_tried:
                self._chosen.clear()
                self._fold(batches[0])
                self._is_folding_tried = True
        self._measure_until(batches[0], seconds)
        # Without a trial, calls of other threads were measured all the time.
        trial = self._trials.get(_size_of(batches[0]), LatencyTrial())
        is_quick = min(trial.latencies_s.values(), default=math.inf) <= _QUICK_S
        for values in batches[1:] if is_quick else ():
            try:
                self._measure_until(values, seconds)
            except TimeoutError:
                raise
            except Exception:  # noqa: BLE001 - some graphs take one row only
                self._trials.pop(_size_of(values), None)
        with self._measuring:
            for size in {*map(_size_of, batches)} & self._trials.keys() - self._chosen.keys():
                self._chosen[size] = self._trials[size].quickest_call
            self._unfold(self._folded.keys() - {trial.quickest for trial in self._trials.values()})

    def close(self) -> None:
        """Free what folding holds."""
        folded_calls, self._folded = self._folded, {}
        for folded in folded_calls.values():
            folded.close()

    def _prepare(self, executor: str) -> Callable[..., list[Any]]:
        call = native_callable(self._opened.native, self.feeds, self.fetches, in_this_thread=executor == CALLER)
        self._opened.history.note(self.fetches, prepared=True)
        self._ways[executor] = call
        return call

    def _folded_call(self, size: int) -> Callable[..., list[Any]] | None:
        """Return how to run a new size where the nearest measured size has folded variables, else None."""
        nearest = min(self._chosen.keys() & self._trials.keys(), key=lambda other: abs(other - size), default=None)
        trial = None if nearest is None else self._trials.get(nearest)
        if trial is None or trial.quickest not in self._folded:
            return None
        self._chosen[size] = trial.quickest_call
        return self._chosen[size]

    @defer_interrupts
    def _measure(self, size: int, values: Sequence[np.ndarray], ways: Iterable[str]) -> list[Any]:
        """Make a call in the next way to measure, and choose the quickest once all are measured."""
        if not self._measuring.acquire(blocking=False):
            # Another thread's call is being measured.
            return interruptible(self._usual, *values)
        try:
            trial = self._trials.setdefault(size, LatencyTrial())
            trial.ways = {name: self._ways[name] for name in ways if name in self._ways}
            results = interruptible(trial.run, values)
            if trial.done and not self._prepare_other_thread(trial):
                self._chosen[size] = trial.quickest_call
            return results
        finally:
            self._measuring.release()

    def _measure_until(self, values: Sequence[np.ndarray], seconds: float) -> None:
        deadline, size = time.monotonic() + seconds, _size_of(values)
        # Twice each way in any case: the first call of a way does not count.
        least = 2 * max(1, len(self._ways))
        while size not in self._chosen and (least > 0 or time.monotonic() < deadline):
            check_cancelled()
            self._measure(size, values, list(self._ways))
            least -= 1

    def _prepare_other_thread(self, trial: LatencyTrial) -> bool:
        """Prepare the call for the caller's thread where that could be quicker; return whether that was done."""
        may_choose = self._opened.preparation().executor is None and CALLER not in self._ways
        if not may_choose or trial.latencies_s[trial.quickest] > _LONG_S:
            return False
        if constants_of(self._graph.get_operations()) > MOST_CONSTANTS_BYTES:
            return False
        self._prepare(CALLER)
        return True

    def _fold(self, values: Sequence[np.ndarray]) -> None:
        """Prepare the ways with folded variables that give the same results."""
        preparation = self._opened.preparation()
        if preparation.folding is None:
            return
        medians = [median for trial in self._trials.values() for median in trial.latencies_s.values()]
        is_long = min(medians, default=math.inf) > _LONG_S
        executor: Executor = preparation.executor or ("pool" if is_long else "caller")
        age = self._opened.history.age
        candidates = preparation.folding.fold(self._opened, self.feeds, self.fetches, executor=executor)
        with ExitStack() as unused:
            for folded in candidates.values():
                unused.callback(folded.close)
            # Fused kernels turn NaN into a number where others do not.
            calls = {
                name: equivalent_call(self._usual, folded.call, values, is_long=is_long)
                for name, folded in candidates.items()
            }
            unused.pop_all()
        self._folded_at_age = age
        for name, call in calls.items():
            if call is None:
                candidates[name].close()
            else:
                self._folded[name], self._ways[name] = candidates[name], call

    def _unfold_if_written(self) -> None:
        with self._measuring:
            age = self._opened.history.age
            if self._opened.history.may_have_written(self._graph):
                self._unfold(list(self._folded))
            else:
                self._folded_at_age = age

    def _unfold(self, names: Iterable[str]) -> None:
        """Remove these ways."""
        for name in names:
            # Not closed: another thread may be in the middle of a call. Its end frees the way.
            del self._folded[name], self._ways[name]
            for trial in self._trials.values():
                trial.forget(name)
        for size in list(self._chosen):
            trial_of_size = self._trials.get(size)
            if trial_of_size is None or not trial_of_size.ways:
                del self._chosen[size]
            else:
                self._chosen[size] = trial_of_size.quickest_call


def _size_of(values: Sequence[np.ndarray]) -> int:
    """Return the size class of a call."""
    elements = 0
    for value in values:
        elements += value.size
    return elements.bit_length() >> _BITS_A_SIZE
