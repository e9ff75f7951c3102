"""What TensorFlow writes to stderr by itself: kept in a log, and out of the notebook unless it matters."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, cast, get_args

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.core.process import once
from tfmagic.errors import SettingError, did_you_mean
from tfmagic.runtime.libraries.gpu_device_files import gpu_files
from tfmagic.runtime.native_log.entries import LogEntries, LogRecord, LogSummary
from tfmagic.runtime.native_log.parser import is_ours, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tfmagic.runtime.native_log.capture import Capture
    from tfmagic.runtime.native_log.parser import Message

Mode = Literal["capture", "pass", "off"]
"""What becomes of TensorFlow's lines: kept in the log alone, also shown, or left alone."""

_STDERR = 2
_SETTLE_S = 0.2
_WAY_S = 60.0
_NO_GPU = "failed call to cuInit"


def nobodys(time_s: float) -> tuple[str, ...]:
    """Name no model: nobody has said which run."""
    del time_s
    return ()


class NativeLogRecord(TypedDict):
    """The log as it stands.

    Attributes
    ----------
    mode
        ``capture``, ``pass`` or ``off``.
    entries
        The messages, in the order in which they first came.
    let_go
        How many made room for others and are lost.
    """

    mode: Mode
    entries: list[LogRecord]
    let_go: int


class NativeLog:
    """The process's log of native lines.

    Attributes
    ----------
    whose
        Gives the names of the models that ran at a time, in seconds since 1970.
    asked
        The mode that was last chosen; None where none was.
    """

    def __init__(self) -> None:
        self.whose: Callable[[float], Iterable[str]] = nobodys
        self.asked: Mode | None = None
        self._entries = LogEntries()
        self._capture: Capture | None = None

    @property
    def mode(self) -> Mode:
        """What becomes of TensorFlow's lines now."""
        if self._capture is None:
            return "off"
        return "pass" if self.asked == "pass" else "capture"

    @defer_interrupts
    def choose(self, mode: str) -> None:
        """Begin, change or end, at once.

        Parameters
        ----------
        mode
            ``capture``, ``pass`` or ``off``.

        Raises
        ------
        SettingError
            For anything else, and where it cannot be done here.
        """
        modes = get_args(Mode)
        if mode not in modes:
            msg = f'native_log is "capture", "pass" or "off", not {mode!r}{did_you_mean(mode, modes)}'
            raise SettingError(msg)
        # What was written before is sorted as it was to be then.
        self.settle()
        if mode == "off":
            self.stop()
        elif self._capture is None:
            self._start(mode)
        self.asked = cast("Mode", mode)

    def _start(self, mode: str) -> None:
        if sys.platform == "win32":
            msg = f'native_log = "{mode}" is not for Windows, where what is written natively goes to the terminal'
            raise SettingError(msg)
        from tfmagic.runtime.native_log.capture import Capture

        try:
            self._capture = Capture(self.heard, is_ours)
        except OSError as error:
            msg = f'native_log = "{mode}" cannot be: file descriptor 2 does not let itself be led elsewhere ({error})'
            raise SettingError(msg) from error
        # What is under way is not lost with the thread when the process ends.
        atexit.register(self.stop)

    @defer_interrupts
    def stop(self) -> None:
        """End the capture; the log stays, and stderr is as it was before."""
        if self._capture is None:
            return
        atexit.unregister(self.stop)
        try:
            # Sorted as before, to the last line.
            self._capture.end()
        finally:
            self._capture = None

    def settle(self, patience_s: float = _SETTLE_S) -> None:
        """Wait until what was written by now is in the log or has passed on.

        Parameters
        ----------
        patience_s
            How long at most.
        """
        if (capture := self._capture) is not None:
            capture.settle(patience_s)

    def record(self, *, errors: bool = False) -> NativeLogRecord:
        """Return the log as it stands.

        Parameters
        ----------
        errors
            Only what matters: errors, and memory that ran out.
        """
        return {"mode": self.mode, "entries": self._entries.records(errors=errors), "let_go": self._entries.let_go}

    def summary(self) -> LogSummary:
        """Return the log in figures, cheap enough for every second."""
        return self._entries.summary()

    def clear(self) -> None:
        """Forget what is in the log."""
        self._entries.clear()

    def heard(self, written: bytes, came_s: float | None = None, whole: bool = False) -> bytes:  # noqa: FBT001, FBT002 - as a capture calls it
        """Keep what is TensorFlow's, and return what is to be seen.

        Parameters
        ----------
        written
            What was written to stderr.
        came_s
            When, in seconds since 1970; now if None.
        whole
            Whether it is one whole write.
        """
        return b"".join(
            message.raw
            for message in messages(written, whole=whole)
            if self._passes(message, time.time() if came_s is None else came_s)
        )

    def _passes(self, message: Message, came_s: float) -> bool:
        if message.severity is None or _of_a_child(message.thread):
            return True
        # On its way here it may have waited; what it says of the time itself is better, unless it is made up.
        if message.written_s is not None and abs(message.written_s - came_s) < _WAY_S:
            came_s = message.written_s
        # TensorFlow says of none of its lines whose they are.
        self._entries.add(message, came_s, ", ".join(self.whose(came_s)) or None)
        if self.mode == "off":
            return message.severity != "info" or message.matters
        return self.mode == "pass" or (message.matters and not _is_of_no_gpu(message))

    def pass_on(self, data: bytes) -> None:
        """Write to stderr what has been heard already."""
        if self._capture is not None:
            self._capture.write(data)
            return
        while data:
            data = data[os.write(_STDERR, data) :]


def _is_of_no_gpu(message: Message) -> bool:
    """Return whether it only says that CUDA finds no GPU, on a machine that has none.

    TensorFlow calls that an error, at the first run of every process. It is one in
    the log, and `%tf_runtime libraries` has the answer in words.
    """
    return _NO_GPU in message.text and not gpu_files()


def _of_a_child(thread: int | None) -> bool:
    """Return whether a native thread is known to be one of a child process, whose output is its own."""
    if thread is None or sys.platform != "linux" or Path(f"/proc/self/task/{thread}").exists():
        return False
    here = os.getpid()
    with contextlib.suppress(OSError, KeyError, ValueError):
        while thread > 1:
            fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{thread}/status").read_text().splitlines())
            thread = int(fields["PPid"])
            if thread == here:
                return True
    return False


def native_log() -> NativeLog:
    """Return the process's log."""
    return once("native log", NativeLog)
