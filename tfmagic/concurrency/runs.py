"""The runs of one graph or object that are under way, and which of them were abandoned."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.errors import ModelStateError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from tfmagic.concurrency.cancel_scope import CancelScope

    class Runner(Protocol):
        """What runs: a graph's record in the session, or a live object."""

        @property
        def name(self) -> str:
            """What to call it in a message."""

        @property
        def advice(self) -> str:
            """What to type while a run of it that was interrupted has not ended."""


_POLL_S = 0.005


class Run:
    """One run under way.

    Attributes
    ----------
    scope
        The scope in which it runs; None where a program called.
    evictions
        How often its graph had been evicted when it began.
    stopped
        Whether ``stop --now`` has ended it.
    end
        Ends it between two of its operations, from another thread; None where that
        takes more.
    """

    __slots__ = ("end", "evictions", "scope", "stopped")

    def __init__(self, evictions: int = 0) -> None:
        self.scope: CancelScope | None = current_scope()
        self.evictions = evictions
        self.stopped = False
        self.end: Callable[[], None] | None = None

    @property
    def cancelled_at(self) -> float | None:
        """``time.monotonic`` of when its caller stopped waiting; None while it waits."""
        return None if self.scope is None else self.scope.cancelled_at


class Runs:
    """The runs that are under way, counted so that an interrupt between two statements loses none.

    Parameters
    ----------
    runner
        What runs.

    Attributes
    ----------
    under_way : dict
        Them, as keys. A run is taken out with ``pop``, in a ``finally``: one call of
        a built-in method is not interrupted in the middle.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.under_way: dict[Run, None] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.under_way)

    def begin(self, evictions: int = 0) -> Run:
        """Count a run as under way; the caller takes it out again.

        Parameters
        ----------
        evictions
            See `Run`.

        Raises
        ------
        ModelStateError
            While a run that was interrupted has not ended.
        KeyboardInterrupt
            When nobody waits for this one any more.
        """
        run = Run(evictions)
        if run.scope is not None:
            run.scope.check()
        since = self.stopping_since if self.under_way else None
        if since is not None:
            msg = (
                f"{self._runner.name} is still stopping: it was interrupted {time.monotonic() - since:.1f} s ago "
                f"and has not ended yet; {self._runner.advice}"
            )
            raise ModelStateError(msg)
        # The last thing here: nothing can come between it and the caller's try.
        self.under_way[run] = None
        return run

    @property
    def stopping_since(self) -> float | None:
        """``time.monotonic`` of the first interrupt after which a run went on; None where none does."""
        cancelled = [run.cancelled_at for run in list(self.under_way)]
        return min((at for at in cancelled if at is not None), default=None)

    def others(self) -> list[Run]:
        """Return the runs under way that are not of the command that asks."""
        scope = current_scope()
        command = None if scope is None else scope.root
        return [
            run for run in list(self.under_way) if command is None or run.scope is None or run.scope.root is not command
        ]

    def ended(self, runs: Iterable[Run]) -> bool:
        """Return whether none of these is under way any more."""
        return not any(run in self.under_way for run in runs)

    def cancel(self, runs: Iterable[Run]) -> None:
        """Have runs end with an error that says so, and count them as under way no more."""
        for run in runs:
            run.stopped = True
            self.under_way.pop(run, None)

    def require(self, run: Run, cause: BaseException | None = None) -> None:
        """Refuse to go on with a run that was cancelled.

        Raises
        ------
        StoppedError
            Saying so.
        """
        if run.stopped:
            raise StoppedError(stopped_text(self._runner.name)) from cause


def stopped_text(name: str) -> str:
    """Return what is said to who waits for a run that ``stop --now`` has ended."""
    return f"{name} was stopped while this ran (stop --now): run it again"


def wait_until(done: Callable[[], bool], seconds: float | None = None) -> bool:
    """Wait for something that another thread does, and return whether it came in time.

    Parameters
    ----------
    done
        Whether it has come.
    seconds
        How long to wait; None for as long as it takes.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while not done():
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
