"""Top-level ``await`` in a room's cell: a loop of its own, in a thread of its own.

The notebook's loop is running while a cell runs, in the same thread, and cannot
be entered again. So the cell's coroutine gets a fresh loop in another thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import threading
from typing import TYPE_CHECKING, Any

from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

_FOREIGN = ("attached to a different loop", "bound to a different event loop")
_WAKE_S = 0.1


class ForeignLoopError(TfMagicError, RuntimeError):
    """An object of the notebook's event loop, awaited in a room."""


def _stop(
    loop: asyncio.AbstractEventLoop,
    task: asyncio.Task[Any] | None,
    thread: threading.Thread,
    ended: threading.Event,
) -> None:
    """End a coroutine wherever it is: at an ``await``, or in the middle of Python code."""
    if task is not None:
        with contextlib.suppress(RuntimeError):  # the loop has just closed
            loop.call_soon_threadsafe(task.cancel)
    if not ended.wait(_WAKE_S) and thread.ident is not None:
        # The loop is not asked while Python code runs in it. This raises there at the
        # next bytecode, or when a native call returns.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
        ended.wait(_WAKE_S)


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
    outcome: dict[str, Any] = {}
    loop = asyncio.new_event_loop()
    context = contextvars.copy_context()
    ended = threading.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            with inside():
                task = outcome["task"] = loop.create_task(start())
                outcome["value"] = loop.run_until_complete(task)
        except BaseException as error:  # noqa: BLE001 - raised again in the cell's thread
            outcome["error"] = error
        finally:
            try:
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.close()
            finally:
                ended.set()

    thread = threading.Thread(target=context.run, args=(work,), name="tfmagic-await", daemon=True)
    thread.start()
    try:
        # Not join(): interrupted, it takes the thread for ended (Python 3.11 and 3.12).
        while not ended.wait(_WAKE_S):
            pass
    except KeyboardInterrupt:
        _stop(loop, outcome.get("task"), thread, ended)
        raise
    error = outcome.pop("error", None)
    if error is None:
        return outcome.get("value")
    if isinstance(error, RuntimeError) and any(saying in str(error) for saying in _FOREIGN):
        msg = (
            "a room's cell awaits on an event loop of its own, and this object belongs to the "
            "notebook's: await it in an ordinary cell, and use its result here"
        )
        raise ForeignLoopError(msg).with_traceback(error.__traceback__) from None
    raise error
