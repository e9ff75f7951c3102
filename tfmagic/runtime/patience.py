"""How long a caller waits for what runs in a worker, and whether it still does."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE_S = 0.1
"""How long past its deadline a caller stays: a run that ends by itself between two operations is in time."""


class Patience:
    """A caller's patience with the runs that it waits for.

    Ctrl-C or a deadline brings the caller back while a native run goes on in its
    worker. What is still to come there asks here first, and does not begin once
    nobody waits for it; what has begun is told.

    Parameters
    ----------
    seconds
        How long the caller waits from now on; None for as long as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._under_way: list[Callable[[], None]] = []
        self._lock = threading.RLock()
        self.given_up = False

    @property
    def left_s(self) -> float | None:
        """How long the caller still waits; None for as long as it takes."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def give_up(self) -> None:
        """Note that nobody waits any more, and tell what is under way."""
        with self._lock:
            self.given_up = True
            under_way, self._under_way = self._under_way, []
        for tell in under_way:
            tell()

    def require(self) -> None:
        """Refuse to begin what nobody waits for.

        Raises
        ------
        TimeoutError
            When the caller has gone, or its deadline has passed.
        """
        if self.given_up or self.late:
            msg = "nobody waits for this run any more"
            raise TimeoutError(msg)

    @contextmanager
    def during(self, interrupted: Callable[[], None]) -> Iterator[None]:
        """Have `interrupted` called if the caller goes while the block runs.

        Raises
        ------
        TimeoutError
            When it has gone already; then the block does not run.
        """
        with self._lock:
            self.require()
            self._under_way.append(interrupted)
        try:
            yield
        finally:
            with self._lock:
                if interrupted in self._under_way:
                    self._under_way.remove(interrupted)

    def run_options(self) -> Any:
        """Return ``RunOptions`` under which a native run ends between two operations when time is up."""
        import tensorflow as tf

        left = self.left_s
        return tf.compat.v1.RunOptions(timeout_in_ms=0 if left is None else max(1, round(left * 1000)))
