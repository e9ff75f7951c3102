"""A warning before the container's memory limit is reached: the kill at the limit cannot be caught."""

from __future__ import annotations

import time

from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.core.units import size_text
from tfmagic.runtime.memory.process_memory import container_limit

# Close to the limit, so that nobody is warned without need.
_SHARE = 0.95
_CHECK_EVERY_S = 1.0
_SMALL_BYTES = 1_000_000


class ContainerWarning:
    """Warns when the container has too little memory left for what a model is about to take."""

    def __init__(self) -> None:
        self._checked_s = float("-inf")
        self._has_limit = True
        self._unchecked_bytes = 0
        self._warned: set[str] = set()

    def before_run(self, name: str, needed_bytes: int | None) -> None:
        """Check once a second at most; `needed_bytes` is what a run takes beside the weights, None if not known."""
        if self._has_limit and time.monotonic() - self._checked_s >= _CHECK_EVERY_S:
            self.check(name, needed_bytes or 0)

    def before_load(self, name: str, needed_bytes: int) -> None:
        """Check, but of many small models in a row not at each."""
        self._unchecked_bytes += needed_bytes
        if self._unchecked_bytes >= _SMALL_BYTES or time.monotonic() - self._checked_s >= _CHECK_EVERY_S:
            self._unchecked_bytes = 0
            self.check(name, needed_bytes)

    def check(self, name: str, needed_bytes: int) -> None:
        """Show a notice, once a model, if its need comes near the limit."""
        self._checked_s = time.monotonic()
        limit, used = container_limit()
        if limit is None or used is None:
            self._has_limit = False
            return
        if used + needed_bytes <= limit * _SHARE:
            self._warned.discard(name)
        elif name not in self._warned:
            self._warned.add(name)
            needs = f"needs about {size_text(needed_bytes)}, and " if needed_bytes else "is run, and "
            notices().show(
                f"memory is short: {name} {needs}the container has {size_text(max(0, limit - used))} left of "
                f"{size_text(limit)}; beyond that limit the kernel is killed without a message. Make room with "
                "%tf_model park or drop"
            )


def container_warning() -> ContainerWarning:
    """Return the process's container warning."""
    return once("container warning", ContainerWarning)
