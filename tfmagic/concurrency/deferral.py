"""Defer Ctrl-C while it would leave something half done.

Python raises ``KeyboardInterrupt`` between any two bytecodes of the main thread, also
between two statements that belong together: a run that was counted, and never removed,
would leave its model ``running``. So the interrupt is deferred while tfmagic does its own
work. It is raised where a person waits: in their own code, in a native run, while a source is read.
"""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")

_FUNCTIONS = "polymorphic_function.py"


class _InterruptMask:
    """Whether interrupts are enabled in one thread at present.

    The order of the statements in these methods matters. Python looks for an interrupt
    when a function begins and after each call, and nowhere in between.
    """

    def __init__(self) -> None:
        self.enabled = True
        self.pending = False
        # Whether an interrupt was raised since interrupts were enabled.
        self.raised = False
        self.lock = threading.Lock()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._previous_handler: Callable[[int, FrameType | None], Any] | None = None

    def disable(self) -> bool:
        """Defer interrupts from now on; return whether the signal's handler was changed for that."""
        handler = signal.getsignal(signal.SIGINT) if self._is_main else None
        changes = callable(handler) and getattr(handler, "__self__", None) is not self
        try:
            if changes:
                self._previous_handler = cast("Callable[[int, FrameType | None], Any]", handler)
                signal.signal(signal.SIGINT, self.handle)
            self.enabled = False
            self.raise_sent()
        except BaseException:
            # The interrupt came before anything had begun.
            self.enabled = True
            if changes:
                signal.signal(signal.SIGINT, handler)
            raise
        return changes

    def raise_sent(self) -> None:
        """Raise here, and nowhere later, an interrupt that another thread sent while interrupts were enabled."""
        if not self._is_main:
            # The sending thread holds the lock; once it is free, the interpreter raises what was sent.
            with self.lock:
                pass

    def restore(self, changed: bool) -> None:  # noqa: FBT001 - what `disable` returned
        """Enable interrupts again, and raise the one that was deferred."""
        try:
            if changed and getattr(signal.getsignal(signal.SIGINT), "__self__", None) is self:
                signal.signal(signal.SIGINT, self._previous_handler)
        finally:
            with self.lock:
                self.enabled = True
                pending, self.pending = self.pending, False
        if pending:
            self.interrupt(None)

    def handle(self, _number: int, frame: FrameType | None) -> None:
        """Handle SIGINT."""
        if not self.enabled:
            self.pending = True
            return
        self.interrupt(frame)

    def interrupt(self, frame: FrameType | None) -> None:
        """Do what SIGINT does without a mask."""
        self.pending = False
        self.raised = True
        if self._previous_handler is None:
            raise KeyboardInterrupt
        self._previous_handler(signal.SIGINT, frame)


_local = threading.local()


def _mask() -> _InterruptMask:
    mask: _InterruptMask | None = getattr(_local, "mask", None)
    if mask is None:
        mask = _local.mask = _InterruptMask()
    return mask


def defer_interrupts(function: F) -> F:
    """Have a function run to its end before an interrupt is raised, except in its `interruptible` calls."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        mask = _mask()
        if not mask.enabled:
            return function(*args, **options)
        changed = mask.disable()
        try:
            return function(*args, **options)
        finally:
            mask.restore(changed)

    return cast("F", called)


def interruptible(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Make a call that an interrupt may end anywhere; a deferred interrupt is raised first.

    ``KeyboardInterrupt`` is raised also where TensorFlow's native code has turned it into another error.
    """
    mask = _mask()
    if mask.enabled:
        return call(*args, **options)
    mask.raised = False
    try:
        mask.enabled = True
        if mask.pending:
            mask.interrupt(None)
        return call(*args, **options)
    except Exception as error:
        if mask.raised and _was_an_interrupt(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        mask.enabled = False
        mask.raise_sent()


def _was_an_interrupt(error: BaseException | None) -> bool:
    """Return whether native code has made this error from an interrupt in Python code that it called.

    The C API says ``bad argument to internal function``. Pybind11 says ``REPLACED BY
    KeyboardInterrupt`` where it was about to raise another error.
    """
    while error is not None:
        if isinstance(error, SystemError) or "REPLACED BY KeyboardInterrupt" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_in_tf_function(thread: int) -> bool:
    """Return whether a thread is inside a call of a ``tf.function``.

    TensorFlow acquires a lock there and releases it without a ``finally``: after an
    exception in between, every later call of that function would wait forever.
    """
    collects = gc.isenabled()
    # Python 3.11 deadlocks when a collection runs inside that call (python/cpython#106883).
    gc.disable()
    try:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - the only way to look at another thread
    finally:
        if collects:
            gc.enable()
    while frame is not None:
        if frame.f_code.co_filename.endswith(_FUNCTIONS):
            return True
        frame = frame.f_back
    return False


class InterruptTarget:
    """A block of one thread that other threads can end with a ``KeyboardInterrupt``, once.

    The thread raises it at its next bytecode, or when a native call returns; never after
    the block, and never in a function inside the block that defers interrupts.
    """

    def __init__(self) -> None:
        self._mask = _mask()
        self._thread = threading.get_ident()
        self._is_running = True
        self._sent = False

    def interrupt(self) -> None:
        """End the block from another thread, unless it has ended."""
        with self._mask.lock:
            if not self._is_running or self._sent or self._thread == threading.get_ident():
                return
            if self._mask.enabled and _is_in_tf_function(self._thread):
                # The cancellation of the function ends it.
                return
            self._sent = True
            if self._thread == threading.main_thread().ident:
                _signal_main_thread()
            elif self._mask.enabled:
                self._mask.raised = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
                )
            else:
                self._mask.pending = True

    def run(self, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Make a call as the block, in the thread that created the target."""
        try:
            return call(*args, **options)
        finally:
            self._leave()

    @defer_interrupts
    def _leave(self) -> None:
        with self._mask.lock:
            self._is_running = False
            if self._sent:
                self._mask.pending = False


def _signal_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        # Wakes it from a sleep as well.
        signal.pthread_kill(main, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()
