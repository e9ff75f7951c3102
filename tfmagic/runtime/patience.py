"""How long a caller waits for what runs in a worker."""

from __future__ import annotations

import math
import time
from typing import Any

GRACE_S = 0.1
"""How long past its deadline a caller stays: a run that ends by itself between two operations is in time."""


class Patience:
    """How long a caller waits, for all that one command runs.

    Parameters
    ----------
    seconds
        How long from now on; None for as long as it takes.

    Attributes
    ----------
    given_up : bool
        Whether the caller has gone: its deadline had passed, or a person would not
        wait.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
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
        """Note that the caller has gone."""
        self.given_up = True

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

    def run_options(self) -> Any:
        """Return ``RunOptions`` under which a native run ends between two operations when time is up."""
        import tensorflow as tf

        left = self.left_s
        # A little late: an error for a deadline that has not passed yet would be the run's own.
        return tf.compat.v1.RunOptions(timeout_in_ms=0 if left is None else math.ceil(left * 1000) + 1)
