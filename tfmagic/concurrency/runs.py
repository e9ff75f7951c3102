"""The runs of one graph or object that are under way, and which of them were abandoned."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.errors import ModelStateError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    from tfmagic.concurrency.cancel_scope import CancelScope

    class Runner(Protocol):
        """A graph's record in the session, or a live object."""

        @property
        def name(self) -> str:
            """What to call it in a message."""

        @property
        def advice(self) -> str:
            """What to type while a run of it that was interrupted has not ended."""


_POLL_S = 0.005


class Run:
    """One run under way, in its caller's cancel scope.

    `evictions` is how often its graph had been evicted when it began, and `stopped` whether
    ``stop --now`` has ended it. `end` ends it between two operations, from another thread.
    """

    __slots__ = ("end", "evictions", "scope", "stopped")

    def __init__(self, evictions: int = 0) -> None:
        self.scope: CancelScope | None = current_scope()
        self.evictions = evictions
        self.stopped = False
        self.end: Callable[[], None] | None = None


class Runs:
    """The runs that are under way, counted so that an interrupt between two statements loses none.

    Remove a run from `under_way` with ``pop``, in a ``finally``: an interrupt cannot come
    in the middle of a call of a built-in method.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.under_way: dict[Run, None] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.under_way)

    def begin(self, evictions: int = 0) -> Run:
        """Count a run as under way; the caller removes it.

        A `ModelStateError` is raised while an interrupted run has not ended.
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
        # Last: nothing can come between this and the caller's `try`.
        self.under_way[run] = None
        return run

    @contextmanager
    def counted(self) -> Iterator[Run]:
        """Count the block as a run; the errors are those of `begin`."""
        run = self.begin()
        try:
            yield run
        finally:
            self.under_way.pop(run, None)

    @property
    def stopping_since(self) -> float | None:
        """``time.monotonic`` of the first interrupt after which a run went on; None where none does."""
        cancelled = [None if run.scope is None else run.scope.cancelled_at for run in list(self.under_way)]
        return min((at for at in cancelled if at is not None), default=None)

    def others(self) -> list[Run]:
        """Return the runs under way that do not belong to the present command."""
        scope = current_scope()
        command = None if scope is None else scope.root
        return [
            run for run in list(self.under_way) if command is None or run.scope is None or run.scope.root is not command
        ]

    def ended(self, runs: Iterable[Run]) -> bool:
        """Return whether all these runs have ended."""
        return not any(run in self.under_way for run in runs)

    def cancel_all(self) -> None:
        """End all runs with a `StoppedError`, and stop counting them."""
        for run in list(self.under_way):
            run.stopped = True
            self.under_way.pop(run, None)

    def require(self, run: Run, cause: BaseException | None = None) -> None:
        """Raise a `StoppedError` if a run was cancelled."""
        if run.stopped:
            raise StoppedError(stopped_message(self._runner.name)) from cause


def stopped_message(name: str) -> str:
    """Return the message for callers whose run ``stop --now`` has ended."""
    return f"{name} was stopped while this ran (stop --now): run it again"


def wait_until(done: Callable[[], bool], seconds: float | None = None) -> bool:
    """Wait until another thread makes `done` true; return whether it did within so many seconds."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not done():
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
