"""Statistics of a model's calls: how many, how long, the last error."""

from __future__ import annotations

import statistics
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.errors import MemoryBudgetError, StoppedError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEMBERED = 100


class Statistics:
    """Counts the calls of one model that returned a result, and keeps the first line of its last error."""

    def __init__(self) -> None:
        self.count = 0
        self.last_error: str | None = None
        self._latencies_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: tuple[float, float] | None = None

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count and time the block as one call."""
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.failed(began, error)
            raise
        self.ended(began)

    def ended(self, began: float) -> None:
        """Count a call that returned a result; it began at a time of ``time.perf_counter``."""
        now = time.perf_counter()
        self._last = began, now
        self.count += 1
        self._latencies_s.append(now - began)

    def failed(self, began: float, error: BaseException) -> None:
        """Note the error of a call."""
        self._last = began, time.perf_counter()
        # A call that was stopped, or had no room in the budget, is no error of the model.
        if isinstance(error, Exception) and not isinstance(error, (StoppedError, MemoryBudgetError)):
            self.last_error = first_line(error)

    def was_running_at(self, time_s: float) -> bool:
        """Return whether the last call that has ended ran at a time, in seconds since 1970."""
        if self._last is None:
            return False
        began, ended = self._last
        return began <= time.perf_counter() - (time.time() - time_s) <= ended

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self._latencies_s[-1] if self._latencies_s else None

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return statistics.median(list(self._latencies_s)) if self._latencies_s else None
