"""Top-level ``await`` in a room's cell: a loop of its own, in a thread of its own.

The notebook's loop is running while a cell runs, in the same thread, and cannot
be entered again. So the cell's coroutine gets a fresh loop in another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import Errand
from tfmagic.concurrency.deferral import Reach, interruptible
from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

_FOREIGN = ("attached to a different loop", "bound to a different event loop")
_WAKE_S = 0.1


class ForeignLoopError(TfMagicError, RuntimeError):
    """An object of the notebook's event loop, awaited in a room."""


class _Work:
    """A coroutine in a thread of its own.

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
        self.value: Any = None
        self.error: BaseException | None = None
        self._start, self._inside = start, inside
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None
        self._reach: Reach | None = None
        self._errand = Errand()
        self._ended = threading.Event()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="tfmagic-await", daemon=True).start()

    def wait(self) -> None:
        """Wait until it has ended."""
        # Not join(): interrupted, it takes the thread for ended (Python 3.11 and 3.12).
        while not self._ended.wait(_WAKE_S):
            pass

    def stop(self) -> None:
        """End it wherever it is: at an ``await``, in Python code, or when a native call returns."""
        self._errand.give_up()
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                self._loop.call_soon_threadsafe(self._task.cancel)
        if not self._ended.wait(_WAKE_S) and self._reach is not None:
            # The loop is not asked while Python code runs in it.
            self._reach.interrupt()
            self._ended.wait(_WAKE_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            with self._errand.run(), self._inside():
                self._reach = Reach()
                self._reach.run(self._come_to_its_end)
        except BaseException as error:  # noqa: BLE001 - raised again in the cell's thread
            self.error = error
        finally:
            try:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                self._loop.close()
            finally:
                self._ended.set()

    def _come_to_its_end(self) -> None:
        self._task = self._loop.create_task(self._start())
        self._errand.require()
        self.value = self._loop.run_until_complete(self._task)


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
    __tracebackhide__ = True
    work = _Work(start, inside)
    try:
        interruptible(work.wait)
    except KeyboardInterrupt:
        work.stop()
        raise
    error = work.error
    work.error = None
    if error is None:
        return work.value
    if isinstance(error, RuntimeError) and any(saying in str(error) for saying in _FOREIGN):
        msg = (
            "a room's cell awaits on an event loop of its own, and this object belongs to the "
            "notebook's: await it in an ordinary cell, and use its result here"
        )
        raise ForeignLoopError(msg).with_traceback(error.__traceback__) from None
    raise error
