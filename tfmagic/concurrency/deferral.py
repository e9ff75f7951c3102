"""Ctrl-C where it leaves nothing half done.

Python raises ``KeyboardInterrupt`` between any two bytecodes of the main thread,
also between two statements that belong together: a run that was counted and is
never counted off again would leave its model ``running`` for good. So the
interrupt is held back while tfmagic does its own work, and let in where a person
waits: for their own code, for a native run, for a source that is being read.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

T = TypeVar("T")
_FUNCTIONS = "polymorphic_function.py"
F = TypeVar("F", bound="Callable[..., Any]")


class _Gate:
    """Whether one thread lets interrupts in at present.

    In these methods the order of the statements counts: Python looks for an
    interrupt at the beginning of a function and after each call, and nowhere else
    in between.
    """

    def __init__(self) -> None:
        self.open = True
        self.noted = False
        # Whether one was raised since interrupts were let in.
        self.raised = False
        self.lock = threading.Lock()
        self._main = threading.current_thread() is threading.main_thread()
        self._former: Callable[[int, FrameType | None], Any] | None = None

    def shut(self) -> bool:
        """Hold interrupts back from now on; return whether the signal's handler was changed for that."""
        handler = signal.getsignal(signal.SIGINT) if self._main else None
        changes = callable(handler) and getattr(handler, "__self__", None) is not self
        try:
            if changes:
                self._former = cast("Callable[[int, FrameType | None], Any]", handler)
                signal.signal(signal.SIGINT, self.handle)
            self.open = False
            self.settle()
        except BaseException:
            # It came before anything had begun.
            self.open = True
            if changes:
                signal.signal(signal.SIGINT, handler)
            raise
        return changes

    def settle(self) -> None:
        """Raise here, and nowhere later, what another thread has sent while the gate was open."""
        if not self._main:
            # Who holds the lock is sending; after it the interpreter looks for what was sent.
            with self.lock:
                pass

    def reopen(self, changed: bool) -> None:  # noqa: FBT001 - what `shut` returned
        """Let interrupts in again, first of all the one that came meanwhile."""
        try:
            if changed and getattr(signal.getsignal(signal.SIGINT), "__self__", None) is self:
                signal.signal(signal.SIGINT, self._former)
        finally:
            with self.lock:
                self.open = True
                noted, self.noted = self.noted, False
        if noted:
            self.interrupt(None)

    def handle(self, _number: int, frame: FrameType | None) -> None:
        """Take the signal, in the place of the handler that was there."""
        if not self.open:
            self.noted = True
            return
        self.interrupt(frame)

    def interrupt(self, frame: FrameType | None) -> None:
        """Interrupt as would have happened without a gate."""
        self.noted = False
        self.raised = True
        if self._former is None:
            raise KeyboardInterrupt
        self._former(signal.SIGINT, frame)


_here = threading.local()


def _gate() -> _Gate:
    gate: _Gate | None = getattr(_here, "gate", None)
    if gate is None:
        gate = _here.gate = _Gate()
    return gate


def defer_interrupts(function: F) -> F:
    """Have a function run to its end before an interrupt is raised, but for what it lets in."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        gate = _gate()
        if not gate.open:
            return function(*args, **options)
        changed = gate.shut()
        try:
            return function(*args, **options)
        finally:
            gate.reopen(changed)

    return cast("F", called)


def interruptible(call: Callable[[], T]) -> T:
    """Call `call`, which an interrupt may end wherever it is; first of all one that was held back.

    Raises
    ------
    KeyboardInterrupt
        Also where TensorFlow's native code has made another error of one.
    """
    gate = _gate()
    if gate.open:
        return call()
    gate.raised = False
    try:
        gate.open = True
        if gate.noted:
            gate.interrupt(None)
        return call()
    except Exception as error:
        if gate.raised and _was_an_interrupt(error):
            raise KeyboardInterrupt from error
        raise
    finally:
        gate.open = False
        gate.settle()


def _was_an_interrupt(error: BaseException | None) -> bool:
    """Whether native code that has called Python, which was interrupted, has raised this, or what led to it.

    The C API says ``bad argument to internal function``, pybind11, where it was about
    to raise an error of its own, ``REPLACED BY KeyboardInterrupt``.
    """
    while error is not None:
        if isinstance(error, SystemError) or "REPLACED BY KeyboardInterrupt" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_in_a_function(thread: int) -> bool:
    """Whether a thread is inside a call of a ``tf.function``.

    TensorFlow takes a lock there and gives it back without a ``finally``: an
    exception in between would leave it taken, and everybody who calls that
    function would wait for good.
    """
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the only way to look at another thread
    while frame is not None:
        if frame.f_code.co_filename.endswith(_FUNCTIONS):
            return True
        frame = frame.f_back
    return False


class Reach:
    """A block of one thread that other threads can end with a ``KeyboardInterrupt``, once.

    It is raised at the thread's next bytecode, or when a native call returns; never
    after the block, and not in the middle of what is `defer_interrupts` inside it.
    """

    def __init__(self) -> None:
        self._gate = _gate()
        self._thread = threading.get_ident()
        self._within = True
        self._sent = False

    def interrupt(self) -> None:
        """End the block from another thread; one that has ended is left alone."""
        with self._gate.lock:
            if not self._within or self._sent or self._thread == threading.get_ident():
                return
            if self._gate.open and _is_in_a_function(self._thread):
                # What cancels the function ends it; see there.
                return
            self._sent = True
            if self._thread == threading.main_thread().ident:
                _signal_main_thread()
            elif self._gate.open:
                self._gate.raised = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
                )
            else:
                self._gate.noted = True

    def run(self, call: Callable[[], T]) -> T:
        """Call `call` as the block, in the thread that made this."""
        try:
            return call()
        finally:
            self._leave()

    @defer_interrupts
    def _leave(self) -> None:
        with self._gate.lock:
            self._within = False
            if self._sent:
                self._gate.noted = False


def _signal_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        # Wakes it from a sleep as well.
        signal.pthread_kill(main, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()
