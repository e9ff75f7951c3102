"""TF1's training loops in a room: their threads work in the room, and what they initialise again is said.

``Supervisor`` and code of a person's own start threads. TensorFlow 1 has one default graph and no eager mode for
all threads; here both belong to a thread, so a thread that a room's cell starts enters the room as well.

``MonitoredSession`` and ``Supervisor`` run the initialisers where they find no checkpoint. In plain TensorFlow their
session has variables of its own. In a room these are the model's, which may be trained.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.workers import workers
from tfmagic.core.notices import notices
from tfmagic.core.process import once
from tfmagic.runtime.session.hosted_graph import hosted, label_of
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.variables_io import checksums, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    from tfmagic.execution.room.variables import Initialiser

    class Room(Protocol):
        """What these loops need of a room with a graph."""

        graph: Any
        initialiser: Initialiser | None

        def entered(self) -> AbstractContextManager[None]:
            """Make the room's graph and session the current ones of this thread."""


_room: ContextVar[Room | None] = ContextVar("tfmagic_room", default=None)

# Whose threads enter the room: those of a cell's functions, and of TensorFlow's training loops.
_OWNERS = ("__main__", "tensorflow.python.training")
_SHOWN = 3


@contextmanager
def training_loops_of(room: Room) -> Iterator[None]:
    """Have the training loops that this thread begins in the block work in the room."""
    token = _room.set(room)
    try:
        with once("training loops", _Patches).active():
            yield
    finally:
        _room.reset(token)


class _Patches:
    """Replaces methods of TensorFlow and of threads, for as long as any room is entered."""

    def __init__(self) -> None:
        from tensorflow.python.training.session_manager import SessionManager

        self._lock = threading.Lock()
        self._inside = 0
        self._stock = (threading.Thread.start, SessionManager.prepare_session)
        self._owners = ((threading.Thread, "start", _start), (SessionManager, "prepare_session", _prepare_session))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Have the methods replaced during the block."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                for (owner, name, make), stock in zip(self._owners, self._stock, strict=True):
                    setattr(owner, name, make(stock))
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    for (owner, name, _), stock in zip(self._owners, self._stock, strict=True):
                        setattr(owner, name, stock)


def _start(stock: Callable[..., None]) -> Callable[..., None]:
    @wraps(stock)
    def start(thread: threading.Thread) -> None:
        room = _room.get()
        if room is not None and _is_the_cells(thread):
            thread.run = partial(_run_inside, room, thread.run)  # type: ignore[method-assign]
        stock(thread)

    return start


def _is_the_cells(thread: threading.Thread) -> bool:
    target = getattr(thread, "_target", None) or type(thread)
    return str(getattr(target, "__module__", "")).startswith(_OWNERS)


def _run_inside(room: Room, run: Callable[[], None]) -> None:
    with room.entered():
        run()


def _prepare_session(stock: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stock)
    def prepare_session(manager: Any, *args: Any, init_fn: Any = None, **options: Any) -> Any:
        room, graph = _room.get(), manager._graph  # noqa: SLF001 - TensorFlow's
        if room is None or room.graph is not graph:
            return stock(manager, *args, init_fn=init_fn, **options)
        before = _values_to_lose(room)

        def initialised(session: Any) -> None:
            # TensorFlow calls it after the initialisers, and only where it has found no checkpoint.
            _say_what_is_lost(room, before)
            if init_fn is not None:
                init_fn(session)

        return stock(manager, *args, init_fn=initialised if before else init_fn, **options)

    return prepare_session


def _checksums(graph: Any, names: set[str] | None = None) -> dict[str, int]:
    with KernelSession().native(graph) as native:
        return checksums(values_of(graph).read(native, names))


def _values_to_lose(room: Room) -> dict[str, int]:
    """Return the checksums of the variables that have other values than their initial ones, as far as is known."""
    # The first run of a graph fills it.
    KernelSession().prepare(room.graph)
    values = workers().call(_checksums, room.graph)
    if room.initialiser is not None and not hosted(room.graph).history.may_have_written(room.graph):
        return {name: value for name, value in values.items() if name not in room.initialiser.initialised}
    return values


def _say_what_is_lost(room: Room, before: dict[str, int]) -> None:
    now = workers().call(_checksums, room.graph, set(before))
    lost = [name for name, value in before.items() if now.get(name) != value]
    if not lost:
        return
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    notices().show(
        f"{label_of(room.graph)}: this training session found no checkpoint and initialised {', '.join(lost[:_SHOWN])}"
        f"{more} again, so the values from before are gone; to keep them, give it init_op=tf.no_op(), "
        "as Scaffold(init_op=tf.no_op()) or Supervisor(init_op=tf.no_op())"
    )
