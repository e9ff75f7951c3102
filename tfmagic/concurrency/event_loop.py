"""Top-level ``await`` in a room's cell: a loop of its own, in a thread of its own.

The notebook's loop is running while a cell runs, in the same thread, and cannot
be entered again. So the cell's coroutine gets a fresh loop in another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.deferral import Reach, interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

_FOREIGN = ("attached to a different loop", "bound to a different event loop")
_WAKE_S = 0.1


class ForeignLoopError(TfMagicError, RuntimeError):
    """An object of the notebook's event loop, awaited in a room."""


class _CoroutineJob:
    """A coroutine on an event loop of its own, in a worker.

    Parameters
    ----------
    start, inside
        As for `run_on_own_loop`.
    """

    def __init__(
        self,
        start: Callable[[], Coroutine[Any, Any, Any]],
        inside: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._start, self._inside = start, inside
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None
        self._reach: Reach | None = None
        self._scope = CancelScope()
        self.job = workers().submit(self._run, self._scope)

    def stop(self) -> None:
        """End it wherever it is: at an ``await``, in Python code, or when a native call returns."""
        self._scope.cancel()
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._task.cancel)
        if not self.job.done.wait(_WAKE_S) and self._reach is not None:
            # The loop is not asked while Python code runs in it.
            self._reach.interrupt()
            self.job.done.wait(_WAKE_S)

    def _run(self) -> Any:
        asyncio.set_event_loop(self._loop)
        try:
            with self._inside():
                self._reach = Reach()
                return self._reach.run(self._run_task)
        finally:
            try:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.close()
            finally:
                # The worker makes other calls after this one.
                asyncio.set_event_loop(None)

    def _run_task(self) -> Any:
        self._task = self._loop.create_task(self._start())
        self._scope.check()
        return self._loop.run_until_complete(self._task)


def run_on_own_loop(
    start: Callable[[], Coroutine[Any, Any, Any]],
    inside: Callable[[], AbstractContextManager[Any]],
) -> Any:
    """Run a coroutine to its end on a new event loop, and return its value.

    Parameters
    ----------
    start
        Makes the coroutine.
    inside
        Gives the context to run it in: TensorFlow's graph and session stacks are
        thread-local, so it is entered in the loop's thread.

    Raises
    ------
    ForeignLoopError
        When the coroutine awaits something of the notebook's loop.
    KeyboardInterrupt
        At once; the coroutine is cancelled.
    """
    work = _CoroutineJob(start, inside)
    try:
        if not interruptible(work.job.wait):
            work.stop()
    except KeyboardInterrupt:
        work.stop()
        raise
    try:
        return work.job.result()
    except RuntimeError as error:
        if not any(text in str(error) for text in _FOREIGN):
            raise
        msg = (
            "a room's cell awaits on an event loop of its own, and this object belongs to the "
            "notebook's: await it in an ordinary cell, and use its result here"
        )
        raise ForeignLoopError(msg).with_traceback(error.__traceback__) from None
    finally:
        # An error's traceback refers to this frame, which refers to the error.
        del work
