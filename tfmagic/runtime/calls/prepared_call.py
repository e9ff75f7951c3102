"""A call of a graph that is prepared once, and run the quickest way that is known to give the same answer."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.graphdef.result_aliasing import shared_results
from tfmagic.runtime.calls.equivalence import as_usual
from tfmagic.runtime.calls.latency_trial import Trial, Way
from tfmagic.runtime.graph.native_session import COPIES
from tfmagic.runtime.tensorflow.private import native_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.runtime.graph.native_session import NativeSession
    from tfmagic.runtime.state.history import History

Executor = Literal["caller", "pool"]
"""Whose thread runs the operations: the caller's, or TensorFlow's own."""

POOL, CALLER, FOLDED, UNFUSED, LITE = "pool", "caller", "folded", "unfused", "lite"

# A call that takes no longer is worth looking at with larger batches, too, when there is time.
_QUICK_S = 0.0002
# Of a run that takes so long, changing threads is less than a hundredth.
_LONG_S = 0.005
# Calls whose inputs differ by less than a factor of 16 in size are alike.
_BITS_A_CLASS = 2


class OpenedGraph(Protocol):
    """A graph with its native session."""

    native: NativeSession
    closed: bool
    history: History

    @property
    def folding(self) -> Folding | None:
        """Makes its variables constants; None where nothing does."""

    @property
    def executor(self) -> Executor | None:
        """Whose thread runs its operations; None for what is the quickest."""

    def kept_feeds(self, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return which feeds a run could keep, so that they are to be copied first."""


class Folded(Protocol):
    """A call in which variables are constants."""

    @property
    def call(self) -> Callable[..., list[Any]]:
        """Runs it."""

    @property
    def weights_bytes(self) -> int:
        """The size of these constants."""

    def close(self) -> None:
        """Give back what it holds now, also while it runs."""


class Folding(Protocol):
    """Makes the variables of a graph constants."""

    @property
    def is_light(self) -> bool:
        """Whether the graph's own constants are few, so that it can be prepared more than once."""

    def values_stand(self) -> bool:
        """Return whether nothing that was run can have changed a variable."""

    def fold(
        self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str], *, executor: Executor
    ) -> dict[str, Folded]:
        """Return the ways to run the call with constants, ``folded``, ``unfused`` or ``lite``; none where none can be.

        Parameters
        ----------
        opened, feeds, fetches
            Which call.
        executor
            Whose thread is to run it.
        """

    def constants_bytes(self, fetches: Sequence[str]) -> int:
        """Return the size of the constants that a run of these fetches has, which each prepared way holds again."""


@dataclass(frozen=True)
class Chosen:
    """How calls of one size are run.

    Attributes
    ----------
    way
        ``pool``, ``caller``, ``folded``, ``unfused`` (folded, every operation by itself) or
        ``lite`` (by TensorFlow's interpreter of small networks).
    latencies_s
        The median of each way that was tried.
    folded_bytes
        The size of the variables that are constants.
    """

    way: str
    latencies_s: dict[str, float]
    folded_bytes: int


class PreparedCall:
    """One set of feeds and fetches on an open graph.

    Its first calls are made in TensorFlow's pool, then some in the caller's own thread
    (``inter_op_thread_pool = -1``: no change of threads, and no branches side by side).
    Both give the same bits. From then on inputs of about that size go the way that took
    the least time. Other ways are tried when a model is warmed (`settle`), never inside a
    person's own call.

    Parameters
    ----------
    opened
        The open graph.
    feeds, fetches
        Tensor names.

    Attributes
    ----------
    used : int
        Grows with each use of any prepared call, which tells the one that was not used for longest.
    """

    def __init__(self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str]) -> None:
        self.feeds, self.fetches = tuple(feeds), tuple(fetches)
        self._opened = opened
        self._ways: dict[str, Way] = {}
        self._folded: dict[str, Folded] = {}
        self._is_folding_tried = False
        self._age = -1
        self.used = 0
        self._constants_bytes: int | None = None
        self._known: dict[int, Callable[..., list[Any]]] = {}
        self._trials: dict[int, Trial] = {}
        self._settled: set[int] = set()
        self._trying = threading.Lock()
        self._usual = self._prepare(opened.executor or POOL)
        self._shared = shared_results(opened.native.graph, feeds, fetches)
        self._kept = opened.kept_feeds(self.feeds, self.fetches)

    def __call__(self, values: Sequence[np.ndarray]) -> list[Any]:
        """Run it with these arrays, in the order of `feeds`; they and the results stay the caller's to change."""
        if self._kept:
            values = list(values)
            for index in self._kept:
                values[index] = values[index].copy()
        if self._folded and self._age != self._opened.history.age:
            self._look_again()
        size = _size_of(values)
        known = self._known.get(size) or self._as_settled(size)
        results = self._tried(size, values) if known is None else known(*values)
        for index in self._shared:
            if isinstance(results[index], np.ndarray):
                results[index] = results[index].copy()
        return results

    @property
    def chosen(self) -> Chosen | None:
        """How its calls are run, of the size that was last found out about; None before that."""
        size = next((size for size in reversed(list(self._known)) if size in self._trials), None)
        if size is None:
            return None
        trial = self._trials[size]
        return Chosen(trial.quickest.name, trial.latencies_s, self.folded_bytes)

    @property
    def folded_bytes(self) -> int:
        """The size of the variables that are constants here, beside their own memory."""
        return sum(one.weights_bytes for one in list(self._folded.values()))

    @property
    def held_bytes(self) -> int:
        """The size of what it holds: copies of the graph's constants, and constants made of variables."""
        if self._constants_bytes is None:
            folding = self._opened.folding
            self._constants_bytes = 0 if folding is None else folding.constants_bytes(self.fetches)
        return self.folded_bytes + COPIES * self._constants_bytes * len(self._ways.keys() & {POOL, CALLER})

    def settle(self, batches: Sequence[Sequence[np.ndarray]], seconds: float) -> None:
        """Find out now, with calls of these arrays, how they are to be run.

        Parameters
        ----------
        batches
            The arrays of each call, as for one; those after the first are left out
            where that takes its time.
        seconds
            How long each may take, beside what folding takes.

        Raises
        ------
        TimeoutError
            When nobody waits any more.
        """
        self._try_until(batches[0], seconds)
        with self._trying:
            if not self._is_folding_tried:
                self._known.clear()
                self._fold(batches[0])
        self._try_until(batches[0], seconds)
        # There is none where other threads' calls were being timed all the while.
        trial = self._trials.get(_size_of(batches[0]), Trial())
        quickest_s = min(trial.latencies_s.values(), default=math.inf)
        for values in batches[1:] if quickest_s <= _QUICK_S else ():
            try:
                self._try_until(values, seconds)
            except TimeoutError:
                raise
            except Exception:  # noqa: BLE001 - there are graphs that take so many rows and no more
                self._trials.pop(_size_of(values), None)
        with self._trying:
            for size in {*map(_size_of, batches)} & self._trials.keys() - self._known.keys():
                self._known[size] = self._trials[size].quickest.call
            self._settled.update(self._known.keys() & self._trials.keys())
            self._let_go()

    def _try_until(self, values: Sequence[np.ndarray], seconds: float) -> None:
        deadline, size = time.monotonic() + seconds, _size_of(values)
        # Twice each way in any case: the first call of a way does not count.
        least = 2 * max(1, len(self._ways))
        while size not in self._known and (least > 0 or time.monotonic() < deadline):
            check_cancelled()
            self._tried(size, values, ahead=True)
            least -= 1

    def close(self) -> None:
        """Give back what folding has taken."""
        folded, self._folded = self._folded, {}
        for one in folded.values():
            one.close()

    # -- inside ----------------------------------------------------------------

    def _prepare(self, executor: str) -> Callable[..., list[Any]]:
        call = native_callable(self._opened.native, self.feeds, self.fetches, in_this_thread=executor == CALLER)
        self._opened.history.note(self.fetches, prepared=True)
        self._ways[executor] = Way(executor, call)
        return call

    @defer_interrupts
    def _tried(self, size: int, values: Sequence[np.ndarray], *, ahead: bool = False) -> list[Any]:
        """Make one of the calls from which it is told how calls of this size are to be made."""
        if not self._trying.acquire(blocking=False):
            # Another thread's call is being timed.
            return interruptible(self._usual, *values)
        try:
            trial = self._trials.setdefault(size, Trial())
            # Those that have come since with calls of another size, too. Others may round otherwise.
            trial.ways = [way for name, way in self._ways.items() if ahead or name in {POOL, CALLER}]
            results = interruptible(trial.run, values)
            if trial.done and not self._has_another_way(trial):
                self._known[size] = trial.quickest.call
                if not ahead:
                    self._let_go()
            return results
        finally:
            self._trying.release()

    def _as_settled(self, size: int) -> Callable[..., list[Any]] | None:
        """Return how calls of another size are made where warming found that out for a size near to it.

        None where that is a matter of the thread alone, which ordinary calls find out.
        """
        nearest = min(self._settled, key=lambda one: abs(one - size), default=None)
        trial = None if nearest is None else self._trials.get(nearest)
        if trial is None or trial.quickest.name not in self._folded:
            return None
        self._known[size] = trial.quickest.call
        return self._known[size]

    def _has_another_way(self, trial: Trial) -> bool:
        """Prepare the caller's thread if it has not been tried yet; return whether that was done."""
        folding = self._opened.folding
        is_long = trial.latencies_s[trial.quickest.name] > _LONG_S
        may_choose = self._opened.executor is None and CALLER not in self._ways
        if may_choose and not is_long and (folding is None or folding.is_light):
            self._prepare(CALLER)
            return True
        return False

    def _let_go(self) -> None:
        """Keep no constants that are the quickest for no size."""
        wanted = {one.quickest.name for one in self._trials.values()}
        self._unfold([name for name in self._folded if name not in wanted])

    def _fold(self, values: Sequence[np.ndarray]) -> None:
        self._is_folding_tried = True
        folding = self._opened.folding
        if folding is None:
            return
        age = self._opened.history.age
        executor: Executor = self._opened.executor or ("caller" if self._is_short() else "pool")
        self._age = age
        found = interruptible(folding.fold, self._opened, self.feeds, self.fetches, executor=executor)
        for name, folded in found.items():
            # What fuses a product with what comes after it makes a number of what is none, and what does not, does not.
            is_long = not self._is_short()
            try:
                check_cancelled()
                call = interruptible(as_usual, self._usual, folded.call, values, is_long=is_long)
            except BaseException:
                # They are not in use yet, and nobody else would close them.
                for one in found.values():
                    if one not in self._folded.values():
                        one.close()
                self._is_folding_tried = False
                raise
            if call is None:
                folded.close()
            else:
                self._folded[name], self._ways[name] = folded, Way(name, call)

    def _is_short(self) -> bool:
        medians = [found for trial in self._trials.values() for found in trial.latencies_s.values()]
        return bool(medians) and min(medians) <= _LONG_S

    def _look_again(self) -> None:
        """Leave the constants where something has run since that may have changed the variables."""
        with self._trying:
            age, folding = self._opened.history.age, self._opened.folding
            if folding is not None and folding.values_stand():
                self._age = age
            else:
                self._unfold(list(self._folded))

    def _unfold(self, names: Sequence[str]) -> None:
        for name in names:
            # Not closed: another thread may be in the middle of a call. It goes with the last one.
            del self._folded[name], self._ways[name]
        for trial in self._trials.values():
            for name in names:
                trial.forget(name)
        for size in list(self._known) if names else ():
            found = self._trials.get(size)
            if found is None or not found.ways:
                # It was run as another size is.
                del self._known[size]
            else:
                self._known[size] = found.quickest.call


def _size_of(values: Sequence[np.ndarray]) -> int:
    """Return the class of a call's size."""
    size = 0
    for value in values:
        size += value.size
    return size.bit_length() >> _BITS_A_CLASS
