"""What became of a model's calls: how many, how long, the last error."""

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
    """Figures of one model's calls.

    Attributes
    ----------
    count : int
        Those that came to a result.
    last_error : str or None
        The first line of what the last failed one raised.
    """

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
        """Count a call that came to a result; it began at a time of ``time.perf_counter``."""
        now = time.perf_counter()
        self._last = began, now
        self.count += 1
        self._latencies_s.append(now - began)

    def failed(self, began: float, error: BaseException) -> None:
        """Note why a call came to none."""
        self._last = began, time.perf_counter()
        # Ended from elsewhere, or not begun for want of room: no error of the model's.
        if isinstance(error, Exception) and not isinstance(error, (StoppedError, MemoryBudgetError)):
            self.last_error = first_line(error)

    def under_way(self, time_s: float) -> bool:
        """Return whether the last one that has ended was under way at a time, in seconds since 1970."""
        if self._last is None:
            return False
        began, ended = self._last
        return began <= time.perf_counter() - (time.time() - time_s) <= ended

    @property
    def last_latency_s(self) -> float | None:
        """How long the last one took; None before the first."""
        return self._latencies_s[-1] if self._latencies_s else None

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred; None before the first."""
        return statistics.median(list(self._latencies_s)) if self._latencies_s else None
