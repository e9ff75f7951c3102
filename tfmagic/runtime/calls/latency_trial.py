"""The quickest of several ways to run one call, measured on its first calls."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READINGS = 7
"""How many calls of each way are measured before the quickest is chosen; the first is not counted."""


@dataclass
class LatencyTrial:
    """Calls of about one size, made in several ways by turns; ways may be added at any time."""

    ways: dict[str, Callable[..., list[Any]]] = field(default_factory=dict)
    _latencies_s: dict[str, list[float]] = field(default_factory=dict)

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Make a call in the way with the fewest calls."""
        name = min(self.ways, key=lambda way: len(self._latencies_s.get(way, ())))
        began = time.perf_counter()
        results = self.ways[name](*values)
        self._latencies_s.setdefault(name, []).append(time.perf_counter() - began)
        return results

    def forget(self, name: str) -> None:
        """Remove a way and its measurements."""
        self.ways.pop(name, None)
        self._latencies_s.pop(name, None)

    @property
    def done(self) -> bool:
        """Whether every way has had its calls."""
        return min((len(self._latencies_s.get(name, ())) for name in self.ways), default=0) >= READINGS

    @property
    def latencies_s(self) -> dict[str, float]:
        """The median of each way's calls but the first, for those that have had two."""
        return {name: statistics.median(times[1:]) for name, times in self._latencies_s.items() if len(times) > 1}

    @property
    def quickest(self) -> str:
        """The way with the smallest median."""
        medians = self.latencies_s
        return min(self.ways, key=lambda name: medians.get(name, float("inf")))

    @property
    def quickest_call(self) -> Callable[..., list[Any]]:
        """Runs it the quickest way."""
        return self.ways[self.quickest]
