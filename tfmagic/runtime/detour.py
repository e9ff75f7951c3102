"""Attributes of TensorFlow's that are others for as long as anybody is inside a block."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Detour:
    """Some attributes, and what stands in for each while a thread takes the detour.

    Parameters
    ----------
    places
        Owner and name of each attribute, with a function of what it is by itself
        that gives the stand-in. An attribute that is not there is left out.
    """

    def __init__(self, places: Sequence[tuple[Any, str, Callable[[Any], Any]]]) -> None:
        self._places = [(owner, name, make) for owner, name, make in places if hasattr(owner, name)]
        self._lock = threading.Lock()
        self._inside = 0
        self._stock: list[Any] = []
        self._ours: list[Any] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the detour for as long as the block lasts."""
        with self._lock:
            if self._inside == 0:
                self._install()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._remove()

    def _install(self) -> None:
        self._stock = [vars(owner)[name] for owner, name, _ in self._places]
        self._ours = [make(stock) for (_, _, make), stock in zip(self._places, self._stock, strict=True)]
        for (owner, name, _), ours in zip(self._places, self._ours, strict=True):
            setattr(owner, name, ours)

    def _remove(self) -> None:
        for (owner, name, _), stock, ours in zip(self._places, self._stock, self._ours, strict=True):
            # What somebody has put there meanwhile is theirs.
            if vars(owner)[name] is ours:
                setattr(owner, name, stock)
        self._stock, self._ours = [], []
