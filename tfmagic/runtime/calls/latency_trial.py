"""Which of several ways to run one call is the quickest, told from the first calls."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READINGS = 7
"""So many calls each way are made before one is chosen; the first is not counted."""


@dataclass
class Way:
    """One way to run a call.

    Attributes
    ----------
    name
        ``pool``, ``caller``, ``folded``, ``unfused`` or ``lite``.
    call
        Runs it, with the arrays to feed.
    """

    name: str
    call: Callable[..., list[Any]]


@dataclass
class Trial:
    """Calls of about one size, made by turns in each of several ways.

    Attributes
    ----------
    ways
        Them; more may come while it goes on.
    """

    ways: list[Way] = field(default_factory=list)
    _latencies_s: dict[str, list[float]] = field(default_factory=dict)

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Make a call in the way whose turn it is."""
        way = min(self.ways, key=lambda one: len(self._latencies_s.get(one.name, ())))
        began = time.perf_counter()
        results = way.call(*values)
        self._latencies_s.setdefault(way.name, []).append(time.perf_counter() - began)
        return results

    def forget(self, name: str) -> None:
        """Have a way be none any more."""
        self.ways = [way for way in self.ways if way.name != name]
        self._latencies_s.pop(name, None)

    @property
    def done(self) -> bool:
        """Whether every way has had its calls."""
        return min((len(self._latencies_s.get(way.name, ())) for way in self.ways), default=0) >= READINGS

    @property
    def latencies_s(self) -> dict[str, float]:
        """The median of each way's calls but the first, for those that have had two."""
        return {name: statistics.median(found[1:]) for name, found in self._latencies_s.items() if len(found) > 1}

    @property
    def quickest(self) -> Way:
        """The way with the smallest median."""
        medians = self.latencies_s
        return min(self.ways, key=lambda one: medians.get(one.name, float("inf")))
