"""The figures of one model's calls: how many, how long, how much memory, and how the last one ended."""

from __future__ import annotations

import statistics
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.errors import MemoryBudgetError, ModelStateError, StoppedError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.concurrency.cancel_scope import CancelScope

_REMEMBERED = 100


class Statistics:
    """Counts the calls of one model that returned a result.

    Attributes
    ----------
    last_error : str or None
        The first line of the error of the last failed call.
    stopped : bool
        Whether a person stopped the last run: that is no call, and no error of the model.
    peak_bytes : int or None
        The peak memory of the largest traced run; runs on zeros count only before the first other one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last_error: str | None = None
        self.stopped = False
        self.peak_bytes: int | None = None
        self._peak_is_real = False
        self._last_latency_s: float | None = None
        self._warming_s: deque[float] = deque(maxlen=1)
        self._latencies_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: tuple[float, float] | None = None

    @contextmanager
    def timed(self) -> Iterator[list[bool]]:
        """Count and time the block as one call; put True into the list where it was a warm-up call."""
        began = time.perf_counter()
        warming: list[bool] = []
        try:
            yield warming
        except BaseException as error:
            self.failed(began, error)
            raise
        self.ended(began, warming=any(warming))

    def ended(self, began: float, *, warming: bool = False) -> float:
        """Count a call that returned a result, and return how long it took; `began` is of ``time.perf_counter``.

        The time of a `warming` call, which prepared the others, is in no median.
        """
        now = time.perf_counter()
        self._last = began, now
        scope = current_scope()
        if scope is not None and scope.cancelled:
            # Nobody waits for it: the person who stopped it has heard so, or it was late.
            return now - began
        self.stopped = False
        self.count += 1
        self._last_latency_s = now - began
        (self._warming_s if warming else self._latencies_s).append(now - began)
        return now - began

    def failed(self, began: float, error: BaseException) -> None:
        """Note the error of a call."""
        self._last = began, time.perf_counter()
        scope = current_scope()
        if isinstance(error, (KeyboardInterrupt, StoppedError)):
            self.stopped = True
        elif scope is not None and scope.expired:
            self.late(scope)
        elif scope is not None and scope.cancelled:
            # The error comes of the stop, whatever it says.
            self.stopped = self.stopped or isinstance(scope.reason(), (KeyboardInterrupt, StoppedError))
        elif isinstance(error, Exception) and not isinstance(error, (ModelStateError, MemoryBudgetError)):
            # What could not begin, for a run before it or for lack of room, is no error of the model.
            self.stopped, self.last_error = False, first_line(error)

    def late(self, scope: CancelScope) -> None:
        """Note that a call had not answered by the deadline of its scope, whether it had begun or not."""
        self.stopped, self.last_error = False, f"no answer within {scope.timeout_s or 0:g} s"

    def note_peak(self, peak_bytes: int | None, *, is_real: bool) -> None:
        """Note the peak memory of a traced run; a run on zeros is not `is_real`."""
        if peak_bytes is None or (self._peak_is_real and not is_real):
            return
        others = self.peak_bytes if self._peak_is_real or not is_real else None
        self.peak_bytes = max(peak_bytes, others or 0)
        self._peak_is_real = is_real

    def was_running_at(self, time_s: float) -> bool:
        """Return whether the last call that has ended ran at a time, in seconds since 1970."""
        if self._last is None:
            return False
        began, ended = self._last
        return began <= time.perf_counter() - (time.time() - time_s) <= ended

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self._last_latency_s

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls, without warm-up calls if there are others; None before the first."""
        latencies_s = list(self._latencies_s) or list(self._warming_s)
        return statistics.median(latencies_s) if latencies_s else None
