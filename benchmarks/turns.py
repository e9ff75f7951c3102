"""Ways to do one thing that take turns, so that a busy machine slows all alike."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROUNDS = int(os.environ.get("TFMAGIC_BENCHMARK_ROUNDS", "15"))
TURN_S = 0.05
"""So long a way calls at a turn, or once if a call takes longer."""

# So that each way has found its stride: tfmagic tells from a few dozen calls how a model runs the quickest.
SETTLING_CALLS = 100
SETTLING_S = 1.5


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return what a call took in seconds, for each way a mean of each round.

    Every round begins with another way: threads of one that still spin are not always
    the same one's burden.

    Parameters
    ----------
    ways
        What is called, by name.
    rounds
        How many turns each has.
    """
    calls = {way: max(1, int(TURN_S / _settled_s(call))) for way, call in ways.items()}
    readings: dict[str, list[float]] = {way: [] for way in ways}
    for first in range(rounds):
        at = first * len(ways) // rounds
        for way in itertools.islice(itertools.cycle(ways), at, at + len(ways)):
            call = ways[way]
            call()
            began = time.perf_counter()
            for _ in range(calls[way]):
                call()
            readings[way].append((time.perf_counter() - began) / calls[way])
    return readings


def over(readings: Mapping[str, Sequence[float]], ours: str, peers: Sequence[str]) -> list[float]:
    """Return ours over the quickest of these peers, round by round."""
    best = map(min, zip(*(readings[peer] for peer in peers), strict=True))
    return [mine / theirs for mine, theirs in zip(readings[ours], best, strict=True)]


def _settled_s(call: Callable[[], Any]) -> float:
    latest, deadline = 0.0, time.perf_counter() + SETTLING_S
    for _ in range(SETTLING_CALLS):
        began = time.perf_counter()
        call()
        latest = time.perf_counter() - began
        if began + latest > deadline:
            break
    return latest
