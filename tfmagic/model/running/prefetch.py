"""The next batch, made ready while the present one runs."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
Span = tuple[int, int]

# What is made sooner than that is made when it is needed: a thread costs as much.
_WORTH_S = 0.0005


class Ahead(Generic[T]):
    """Makes batches one ahead of who takes them in their order, where that takes its time.

    Parameters
    ----------
    make
        Makes a batch from its first row and the row after its last.
    spans
        The batches, in the order in which they are taken.
    """

    def __init__(self, make: Callable[[int, int], T], spans: Sequence[Span]) -> None:
        self._make = make
        self._following = dict(pairwise(spans))
        self._coming: tuple[Span, _Coming[T]] | None = None

    def take(self, start: int, stop: int) -> T:
        """Return a batch, and have the one after it made.

        Raises
        ------
        Exception
            What making it has raised, in whichever thread.
        """
        coming, self._coming = self._coming, None
        if coming is None or coming[0] != (start, stop):
            began = time.perf_counter()
            made, took_s = self._make(start, stop), time.perf_counter() - began
        else:
            made, took_s = coming[1].result()
        following = self._following.get((start, stop))
        if following is not None and took_s >= _WORTH_S:
            self._coming = following, _Coming(self._make, *following)
        return made


class _Coming(Generic[T]):
    """A batch that a thread makes."""

    def __init__(self, make: Callable[[int, int], T], start: int, stop: int) -> None:
        self._made: list[tuple[T, float]] = []
        self._error: BaseException | None = None

        def run() -> None:
            began = time.perf_counter()
            try:
                self._made.append((make(start, stop), time.perf_counter() - began))
            except BaseException as error:  # noqa: BLE001 - raised where it is taken
                self._error = error

        # A daemon: who stops waiting does not wait for it either.
        self._thread = threading.Thread(target=run, name="tfmagic batch", daemon=True)
        self._thread.start()

    def result(self) -> tuple[T, float]:
        """Return it with the seconds that it took to make."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0]
