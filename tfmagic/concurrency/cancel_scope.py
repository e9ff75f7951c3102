"""Cancellation scope for work that another thread waits for and may abandon."""

from __future__ import annotations

import contextvars
import threading
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from tfmagic.concurrency.deferral import defer_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

_current: contextvars.ContextVar[CancelScope | None] = contextvars.ContextVar("tfmagic_cancel_scope", default=None)


class CancelScope:
    """A command that a person typed, or a part of the command that other threads may run.

    A context variable carries the scope into the workers and event loops of a command. A scope
    made inside another is cancelled with it, and has its deadline, unless `timeout_s` ends earlier.
    With `limits_native_runs` a native run ends at the deadline too: it cannot be a prepared call.

    Attributes
    ----------
    root : CancelScope
        The whole command.
    sets_deadline : bool
        Whether it has a timeout besides that of an enclosing scope.
    timeout_s, deadline : float or None
        The timeout that ends first, and its ``time.monotonic``; `native_deadline` is that of native runs.
    """

    def __init__(self, timeout_s: float | None = None, *, limits_native_runs: bool = True) -> None:
        parent = _current.get()
        self._parent = parent
        self.root: CancelScope = self if parent is None else parent.root
        self.sets_deadline = timeout_s is not None
        self.timeout_s: float | None = None if parent is None else parent.timeout_s
        self.deadline: float | None = None if parent is None else parent.deadline
        self.native_deadline: float | None = None if parent is None else parent.native_deadline
        if timeout_s is not None:
            deadline = time.monotonic() + timeout_s
            if self.deadline is None or deadline < self.deadline:
                self.timeout_s, self.deadline = timeout_s, deadline
                if limits_native_runs:
                    self.native_deadline = deadline
        self._cancelled_at: float | None = None
        self._reason: Callable[[], BaseException] = KeyboardInterrupt
        # Only the root has them: those of the whole command, each with its scope.
        self._callbacks: list[tuple[CancelScope, Callable[[], None]]] = []
        self._lock = threading.Lock()

    @property
    def left_s(self) -> float | None:
        """Seconds to the deadline; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def cancelled_at(self) -> float | None:
        """``time.monotonic`` of the cancellation; None while somebody waits."""
        if self._cancelled_at is None and self._parent is not None:
            return self._parent.cancelled_at
        return self._cancelled_at

    @property
    def cancelled(self) -> bool:
        """Whether the scope or an enclosing one was cancelled."""
        return self.cancelled_at is not None

    @defer_interrupts
    def cancel(self, reason: Callable[[], BaseException] = KeyboardInterrupt) -> None:
        """Call the callbacks; from now on, `check` raises what `reason` makes."""
        with self.root._lock:  # noqa: SLF001 - of its own kind
            if self._cancelled_at is None:
                self._reason, self._cancelled_at = reason, time.monotonic()
            callbacks = [callback for scope, callback in self.root._callbacks if scope._is_in(self)]  # noqa: SLF001 - of its own kind
        for callback in callbacks:
            callback()

    def reason(self) -> BaseException:
        """Return the exception for work that was cancelled."""
        if self._cancelled_at is None and self._parent is not None:
            return self._parent.reason()
        return self._reason()

    def check(self) -> None:
        """Raise the reason of a cancellation, or a ``TimeoutError`` after the deadline."""
        if self.cancelled:
            raise self.reason()
        if self.expired:
            msg = "nobody waits for this run any more"
            raise TimeoutError(msg)

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have `callback` called if the scope is cancelled while the block runs."""
        root, entry = self.root, (self, callback)
        with root._lock:  # noqa: SLF001 - of its own kind
            root._callbacks.append(entry)  # noqa: SLF001 - of its own kind
        try:
            # It may have been cancelled before.
            self.check()
            yield
        finally:
            with root._lock:  # noqa: SLF001 - of its own kind
                root._callbacks.remove(entry)  # noqa: SLF001 - of its own kind

    def _is_in(self, other: CancelScope) -> bool:
        return self is other or (self._parent is not None and self._parent._is_in(other))  # noqa: SLF001 - of its own kind

    def __enter__(self) -> Self:
        """Make this the current scope, in one thread at a time."""
        self._token = _current.set(self)
        return self

    def __exit__(self, *raised: object) -> None:
        """Make the enclosing scope the current one."""
        _current.reset(self._token)

    def context(self) -> contextvars.Context:
        """Return a copy of the present context, with this as its scope, for another thread."""
        context = contextvars.copy_context()
        context.run(_current.set, self)
        return context


def current_scope() -> CancelScope | None:
    """Return the scope that this thread is in; None outside every command."""
    return _current.get()


def scope_here() -> AbstractContextManager[CancelScope]:
    """Return a context with the current scope, or with a new scope if there is none."""
    scope = _current.get()
    return CancelScope() if scope is None else nullcontext(scope)


def check_cancelled() -> None:
    """Raise what `CancelScope.check` does for the current scope."""
    scope = _current.get()
    if scope is not None:
        scope.check()
