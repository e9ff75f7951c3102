"""Calls on a thread with a large stack: TensorFlow walks a graph by recursion, and a deep graph ends the process."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

STACK_BYTES = 1 << 28
"""The system gives a page of it when it is first touched."""
BYTES_A_NODE = 1 << 10
"""Measured: a chain of 60,000 `Add` ends a process whose stack has 8 MB, 30,000 do not: 140 to 280 bytes a node."""

_MOST_BYTES = 1 << 33
_MOST_WAITS, _WAIT_S = 1000, 0.001

# The size belongs to all threads that begin meanwhile.
_beginning = threading.Lock()


def on_deep_stack(nodes: int, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Make a native call whose depth grows with the number of `nodes`; nothing interrupts the wait for its end."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call(*args, **options))
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
            failure.append(error)

    thread = _begun(run, min(max(STACK_BYTES, BYTES_A_NODE * nodes), _MOST_BYTES))
    if thread is None:
        return call(*args, **options)
    interrupt: BaseException | None = None
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001 - the native call uses what the caller would give back
            interrupt = error
    try:
        _wait_until_gone(thread)
        if interrupt is not None:
            raise interrupt
        if failure:
            raise failure[0]
        return outcome[0]
    finally:
        # The traceback of an error refers to this frame, which refers to the error.
        interrupt = None
        failure.clear()


def _wait_until_gone(thread: threading.Thread) -> None:
    """Wait until the system has taken the thread's stack away, which is a moment after Python's part has ended."""
    task = Path(f"/proc/self/task/{thread.native_id}")
    for _ in range(_MOST_WAITS):
        if not task.exists():
            return
        time.sleep(_WAIT_S)


def _begun(run: Callable[[], None], stack_bytes: int) -> threading.Thread | None:
    """Return a thread that has begun, None where the system has no room for its stack."""
    thread = threading.Thread(target=run, name="tfmagic-prepare", daemon=True)
    with _beginning:
        before = threading.stack_size(stack_bytes)
        try:
            thread.start()
        except RuntimeError:
            return None
        finally:
            threading.stack_size(before)
    return thread
