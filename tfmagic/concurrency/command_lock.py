"""Per-model lock: one command at a time may change a model."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import CancelScope, scope_here
from tfmagic.concurrency.deferral import interruptible
from tfmagic.core.process import once
from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAKE_S = 0.1


class _Queues:
    """The locks that each command waits for, over all models, to detect deadlocks."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: dict[CancelScope, list[CommandLock]] = {}


class CommandLock:
    """The lock of one model, which a command holds while it changes the model.

    All threads, workers and event loops of the command share it: a ``%tf_run``
    line inside a cell of the same model does not wait for that cell.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queues = once("turns", _Queues)
        self._tickets: list[object] = []
        self._holder: CancelScope | None = None
        self._call: CancelScope | None = None
        self._depth = 0

    @contextmanager
    def hold(self, *, timeout_s: float | None = None, call: bool = False) -> Iterator[bool]:
        """Hold the lock while the block runs; yield whether it was free within `timeout_s`, None for no limit.

        With `call` it is held for one call that does not change the model: another command
        may have it as soon as that call is cancelled. A `ModelStateError` prevents deadlocks.
        """
        with scope_here() as scope:
            is_held = self._acquire(scope, timeout_s, call=call)
            try:
                yield is_held
            finally:
                if is_held:
                    self._release(scope.root)

    def _acquire(self, scope: CancelScope, timeout_s: float | None, *, call: bool) -> bool:
        command, queues = scope.root, self._queues
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        ticket = object()
        with queues.changed:
            if self._holder is command:
                self._depth += 1
                return True
            self._tickets.append(ticket)
            queues.waiting.setdefault(command, []).append(self)
            try:
                while not self._is_free() or self._tickets[0] is not ticket:
                    self._check_deadlock(command)
                    if deadline is not None and time.monotonic() >= deadline:
                        return False
                    interruptible(queues.changed.wait, _WAKE_S)
                self._holder, self._call, self._depth = command, scope if call else None, 1
                return True
            finally:
                self._tickets.remove(ticket)
                queues.waiting[command].remove(self)
                if not queues.waiting[command]:
                    del queues.waiting[command]
                queues.changed.notify_all()

    def _release(self, command: CancelScope) -> None:
        with self._queues.changed:
            # Another command may hold it by now, if this was for a call.
            if self._holder is command:
                self._depth -= 1
                if self._depth == 0:
                    self._holder = self._call = None
                    self._queues.changed.notify_all()

    def _is_free(self) -> bool:
        return self._holder is None or (self._call is not None and self._call.cancelled)

    def _check_deadlock(self, command: CancelScope) -> None:
        visited: list[CommandLock] = []
        pending = [self]
        while pending:
            lock = pending.pop()
            if lock in visited:
                continue
            visited.append(lock)
            if lock._holder is command:  # noqa: SLF001 - of its own kind
                msg = (
                    f"model {self._name!r} is in use by a command that waits for model {lock._name!r}, "  # noqa: SLF001 - of its own kind
                    "which this command uses: they would wait for each other forever, so run one after the other"
                )
                raise ModelStateError(msg)
            if lock._holder is not None:  # noqa: SLF001 - of its own kind
                pending.extend(self._queues.waiting.get(lock._holder, ()))  # noqa: SLF001 - of its own kind
