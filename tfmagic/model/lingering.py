"""The runs of dropped models that go on after the drop: what they hold is given back once they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.runtime.policy import memory_policy
from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized


class Lingering:
    """What dropped models still run, to be seen to when it has ended.

    A run that was told to end does so between two operations; until then its native
    session keeps the variables, and what it frees at the end is malloc's.
    """

    def __init__(self) -> None:
        self._runs: list[Sized] = []

    def watch(self, runs: Iterable[Sized]) -> None:
        """Look after these, too: each empty as soon as nothing is under way."""
        self._runs = [*self._runs, *runs]

    def look(self) -> None:
        """Give back what is free, if one has ended since the last look."""
        if not self._runs:
            return
        going_on = [runs for runs in self._runs if len(runs)]
        ended, self._runs = len(going_on) < len(self._runs), going_on
        if ended:
            memory_policy().give_back()


def lingering() -> Lingering:
    """Return what the process's dropped models still run."""
    return once("lingering", Lingering)
