"""A word before the run that would pass the container's limit: its kill cannot be caught."""

from __future__ import annotations

import time

from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.core.units import size_text
from tfmagic.runtime.memory.process_memory import container_limit

# Near the limit, so that there is no word where there is no need.
_SHARE = 0.95
_LOOK_EVERY_S = 1.0
_SMALL_BYTES = 1_000_000


class Shortage:
    """Looks whether the container has what a model is about to take."""

    def __init__(self) -> None:
        self._looked_s = float("-inf")
        self._limited = True
        self._unseen_bytes = 0
        self._said: set[str] = set()

    def before_run(self, name: str, needed_bytes: int | None) -> None:
        """Look once a second at most, and never again where there is no limit.

        Parameters
        ----------
        name
            The model's.
        needed_bytes
            What a run takes beside the weights; None where it is not known.
        """
        if not self._limited:
            return
        now = time.monotonic()
        if now - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now
            self.look(name, needed_bytes or 0)

    def before_arrival(self, name: str, needed_bytes: int) -> None:
        """Look, but of many small models that come one after the other not at each."""
        self._unseen_bytes += needed_bytes
        if self._unseen_bytes >= _SMALL_BYTES or time.monotonic() - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s, self._unseen_bytes = time.monotonic(), 0
            self.look(name, needed_bytes)

    def look(self, name: str, needed_bytes: int) -> None:
        """Say so, once a model, where what it needs comes near the limit."""
        limit, used = container_limit()
        if limit is None or used is None:
            self._limited = False
            return
        if used + needed_bytes <= limit * _SHARE:
            self._said.discard(name)
        elif name not in self._said:
            self._said.add(name)
            needs = f"needs about {size_text(needed_bytes)}, and " if needed_bytes else "is run, and "
            notices().show(
                f"memory is short: {name} {needs}the container has {size_text(max(0, limit - used))} left of "
                f"{size_text(limit)}; where that is passed the kernel is killed without a word. %tf_model park or drop "
                "what is not needed"
            )


def shortage() -> Shortage:
    """Return what looks in this process."""
    return once("shortage", Shortage)
