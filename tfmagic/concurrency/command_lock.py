"""Whose turn it is: what changes a model is done by one command at a time."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import Errand, errand
from tfmagic.concurrency.deferral import interruptible
from tfmagic.core.process import once
from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAKE_S = 0.1


class _Queues:
    """Who waits for which turn, over all models: what a circle is found in."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: dict[Errand, list[CommandLock]] = {}


class CommandLock:
    """The turn of one model.

    A command has it for as long as it changes the model; another that wants it
    waits. The command's own threads, workers and event loops have it too: a
    ``%tf_run`` line inside a cell of the same model does not wait for that cell.

    Parameters
    ----------
    name
        The model's name, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queues = once("turns", _Queues)
        self._line: list[object] = []
        self._holder: Errand | None = None
        self._call: Errand | None = None
        self._depth = 0

    @contextmanager
    def hold(self, *, patience: float | None = None, call: bool = False) -> Iterator[bool]:
        """Have the turn for as long as the block lasts, waiting for it first.

        Parameters
        ----------
        patience
            How many seconds to wait; None for as long as it takes.
        call
            Whether it is had for one call, on which the model is not changed: once
            nobody waits for that call any more, the turn passes on.

        Yields
        ------
        bool
            Whether it came in time.

        Raises
        ------
        ModelStateError
            When who has it waits for a turn that this command has.
        """
        here = errand() or Errand()
        with here.run():
            came = self._take(here, patience, here if call else None)
            try:
                yield came
            finally:
                if came:
                    self._give(here.root)

    def _take(self, here: Errand, patience: float | None, call: Errand | None) -> bool:
        me, queues = here.root, self._queues
        deadline = None if patience is None else time.monotonic() + patience
        ticket = object()
        with queues.changed:
            if self._holder is me:
                self._depth += 1
                return True
            self._line.append(ticket)
            queues.waiting.setdefault(me, []).append(self)
            try:
                while not self._free() or self._line[0] is not ticket:
                    self._refuse_a_circle(me)
                    if deadline is not None and time.monotonic() >= deadline:
                        return False
                    interruptible(self._wait)
                self._holder, self._call, self._depth = me, call, 1
                return True
            finally:
                self._line.remove(ticket)
                queues.waiting[me].remove(self)
                if not queues.waiting[me]:
                    del queues.waiting[me]
                queues.changed.notify_all()

    def _wait(self) -> None:
        self._queues.changed.wait(_WAKE_S)

    def _give(self, me: Errand) -> None:
        with self._queues.changed:
            # Unless it has passed on already.
            if self._holder is me:
                self._depth -= 1
                if self._depth == 0:
                    self._holder = self._call = None
                    self._queues.changed.notify_all()

    def _free(self) -> bool:
        return self._holder is None or (self._call is not None and self._call.given_up_at is not None)

    def _refuse_a_circle(self, me: Errand) -> None:
        looked: list[CommandLock] = []
        ahead = [self]
        while ahead:
            lock = ahead.pop()
            if lock in looked:
                continue
            looked.append(lock)
            if lock._holder is me:  # noqa: SLF001 - of its own kind
                msg = (
                    f"model {self._name!r} is in use by a command that waits for model {lock._name!r}, "  # noqa: SLF001 - of its own kind
                    "which this command uses: the two would wait for each other for good, so run one after the other"
                )
                raise ModelStateError(msg)
            if lock._holder is not None:  # noqa: SLF001 - of its own kind
                ahead.extend(self._queues.waiting.get(lock._holder, ()))  # noqa: SLF001 - of its own kind
