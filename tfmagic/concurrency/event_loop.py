"""Top-level ``await`` in a room's cell: it runs on a new event loop, in another thread.

The notebook's loop is running while a cell runs, in the same thread, and cannot
be entered a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.deferral import InterruptTarget, interruptible
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
    """A coroutine on a new event loop, in a worker."""

    def __init__(
        self,
        start: Callable[[], Coroutine[Any, Any, Any]],
        inside: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._start, self._inside = start, inside
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None
        self._target: InterruptTarget | None = None
        self._scope = CancelScope()
        self.job = workers().submit(self._run, self._scope)

    def stop(self) -> None:
        """End the coroutine: at an ``await``, in Python code, or when a native call returns."""
        self._scope.cancel()
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._task.cancel)
        if not self.job.done.wait(_WAKE_S) and self._target is not None:
            # Python code is running in the loop, which cannot handle the cancellation meanwhile.
            self._target.interrupt()
            self.job.done.wait(_WAKE_S)

    def _run(self) -> Any:
        asyncio.set_event_loop(self._loop)
        try:
            with self._inside():
                self._target = InterruptTarget()
                return self._target.run(self._run_task)
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


def run_on_new_loop(
    start: Callable[[], Coroutine[Any, Any, Any]],
    inside: Callable[[], AbstractContextManager[Any]],
) -> Any:
    """Run the coroutine that `start` makes to its end on a new event loop, and return its value.

    `inside` gives the context to run it in. It is entered in the loop's thread, since TensorFlow's
    graph and session stacks are thread-local. ``KeyboardInterrupt`` is raised at once, and cancels
    the coroutine. A `ForeignLoopError` is raised when it awaits an object of the notebook's loop.
    """
    coroutine = _CoroutineJob(start, inside)
    try:
        if not interruptible(coroutine.job.wait):
            coroutine.stop()
    except KeyboardInterrupt:
        coroutine.stop()
        raise
    try:
        return coroutine.job.result()
    except RuntimeError as error:
        if not any(text in str(error) for text in _FOREIGN):
            raise
        msg = (
            "a room's cell awaits on a new event loop, and this object belongs to the notebook's: "
            "await it in an ordinary cell, and use its result here"
        )
        raise ForeignLoopError(msg).with_traceback(error.__traceback__) from None
    finally:
        # An error's traceback refers to this frame, which refers to the error.
        del coroutine
