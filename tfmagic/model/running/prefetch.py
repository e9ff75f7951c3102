"""Prefetching: the next batch is made while the present one runs."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from tfmagic.concurrency.workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.concurrency.workers import Job

T = TypeVar("T")
Span = tuple[int, int]

# A batch that takes less time to make is not prefetched: a thread costs as much.
_WORTH_S = 0.0005


class Prefetcher(Generic[T]):
    """Makes each batch of `spans` with `make(start, stop)`, one ahead of the caller where that takes long."""

    def __init__(self, make: Callable[[int, int], T], spans: Sequence[Span]) -> None:
        self._make = make
        self._next = dict(pairwise(spans))
        self._coming: tuple[Span, Job[tuple[T, float]]] | None = None

    def batch(self, start: int, stop: int) -> T:
        """Return a batch, and begin to make the next one."""
        span = (start, stop)
        coming, self._coming = self._coming, None
        if coming is None or coming[0] != span:
            batch, took_s = self._timed(span)
        else:
            coming[1].wait()
            batch, took_s = coming[1].result()
        following = self._next.get(span)
        if following is not None and took_s >= _WORTH_S:
            self._coming = following, workers().submit(partial(self._timed, following))
        return batch

    def _timed(self, span: Span) -> tuple[T, float]:
        """Return a batch and the seconds that making it took."""
        began = time.perf_counter()
        return self._make(*span), time.perf_counter() - began
