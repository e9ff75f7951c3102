"""What a thread does for somebody who waits for it, and who may stop waiting."""

from __future__ import annotations

import contextvars
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.deferral import defer_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_current: contextvars.ContextVar[Errand | None] = contextvars.ContextVar("tfmagic_errand", default=None)


class Errand:
    """A command that a person typed, or a part of one that runs in another thread.

    A context variable carries it: the workers and event loops of a command are on
    the same errand, whichever threads they are.

    Attributes
    ----------
    root : Errand
        The whole command of which this is a part.
    """

    def __init__(self) -> None:
        self._parent = _current.get()
        self.root: Errand = self if self._parent is None else self._parent.root
        self._given_up_at: float | None = None
        self._ending: Callable[[], BaseException] = KeyboardInterrupt
        self._told: list[Callable[[], None]] = []
        self._telling = threading.Lock()

    @property
    def given_up_at(self) -> float | None:
        """``time.monotonic`` of when nobody waited for it any more; None while somebody does."""
        if self._given_up_at is None and self._parent is not None:
            return self._parent.given_up_at
        return self._given_up_at

    @defer_interrupts
    def give_up(self, ending: Callable[[], BaseException] = KeyboardInterrupt) -> None:
        """Note that nobody waits for it any more, and tell what is under way.

        Parameters
        ----------
        ending
            Makes what is raised in whatever is still to come on it.
        """
        with self._telling:
            if self._given_up_at is None:
                self._ending, self._given_up_at = ending, time.monotonic()
            told = list(self._told)
        for tell in told:
            tell()

    def ending(self) -> BaseException:
        """Return what ends an errand that was given up."""
        if self._given_up_at is None and self._parent is not None:
            return self._parent.ending()
        return self._ending()

    def require(self) -> None:
        """Refuse to begin what nobody waits for.

        Raises
        ------
        BaseException
            What ends it; ``KeyboardInterrupt`` where the person has given up.
        """
        if self.given_up_at is not None:
            raise self.ending()

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """Have `tell` called if the errand is given up while the block runs."""
        errand: Errand | None = self
        line: list[Errand] = []
        while errand is not None:
            line.append(errand)
            errand = errand._parent  # noqa: SLF001 - of its own kind
        for one in line:
            with one._telling:  # noqa: SLF001 - of its own kind
                one._told.append(tell)  # noqa: SLF001 - of its own kind
        try:
            # Given up before it was listened to.
            self.require()
            yield
        finally:
            for one in line:
                with one._telling:  # noqa: SLF001 - of its own kind
                    one._told.remove(tell)  # noqa: SLF001 - of its own kind

    @contextmanager
    def run(self) -> Iterator[None]:
        """Be on this errand for as long as the block lasts, in this context."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def errand() -> Errand | None:
    """Return the errand that this thread is on, None where nobody has sent it."""
    return _current.get()


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
