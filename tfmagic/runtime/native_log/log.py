"""TensorFlow's native log lines: kept in a log, and shown in the notebook only if they matter."""

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
from tfmagic.runtime.native_log.entries import LogEntries, LogRecord
from tfmagic.runtime.native_log.parser import Message, messages, starts_message
from tfmagic.runtime.native_log.stderr_filter import write_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tfmagic.runtime.native_log.capture import Capture

Mode = Literal["capture", "pass", "off"]
"""What happens to TensorFlow's lines: kept in the log alone, also shown, or left alone."""

_DRAIN_S = 0.2
# A time in a message that differs more than this from its arrival is made up.
_TRANSIT_S = 60.0
_NO_GPU = "failed call to cuInit"


class NativeLogRecord(TypedDict):
    """The log as it stands.

    Attributes
    ----------
    entries
        The messages, in the order in which they first came.
    let_go
        How many messages were dropped to make room for others.
    """

    mode: Mode
    entries: list[LogRecord]
    let_go: int


class NativeLog:
    """The process's log of native lines.

    ``models_at``, if set, gives the names of the models that ran at a time (in seconds since 1970); ``requested`` is
    the mode that was last chosen, if any.
    """

    def __init__(self) -> None:
        self.models_at: Callable[[float], Iterable[str]] | None = None
        self.requested: Mode | None = None
        self.entries = LogEntries()
        self._capture: Capture | None = None

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        if self._capture is None:
            return "off"
        return "pass" if self.requested == "pass" else "capture"

    @defer_interrupts
    def choose(self, mode: str) -> None:
        """Start, change or stop the capture; `SettingError` for another mode, or where it is impossible."""
        modes = get_args(Mode)
        if mode not in modes:
            msg = f'native_log is "capture", "pass" or "off", not {mode!r}{did_you_mean(mode, modes)}'
            raise SettingError(msg)
        # Earlier output is handled by the mode that was in force then.
        self.drain()
        if mode == "off":
            self.stop()
        elif self._capture is None:
            self._start(mode)
        self.requested = cast("Mode", mode)

    def _start(self, mode: str) -> None:
        if sys.platform == "win32":
            msg = f'native_log = "{mode}" is not for Windows, where what is written natively goes to the terminal'
            raise SettingError(msg)
        from tfmagic.runtime.native_log.capture import Capture

        try:
            self._capture = Capture(self.ingest, starts_message)
        except OSError as error:
            msg = f'native_log = "{mode}" cannot be: file descriptor 2 does not let itself be led elsewhere ({error})'
            raise SettingError(msg) from error
        # When the process ends, output under way must not be lost with the thread.
        atexit.register(self.stop)

    @defer_interrupts
    def stop(self) -> None:
        """End the capture and restore stderr; the log stays."""
        if self._capture is None:
            return
        atexit.unregister(self.stop)
        try:
            # The capture still handles every line written so far.
            self._capture.end()
        finally:
            self._capture = None

    def drain(self, timeout_s: float = _DRAIN_S) -> None:
        """Wait, for `timeout_s` at most, until everything written so far has been handled."""
        if (capture := self._capture) is not None:
            capture.drain(timeout_s)

    def record(self, *, errors: bool = False) -> NativeLogRecord:
        """Return the log; with `errors`, only errors and memory that ran out."""
        return {
            "mode": self.mode,
            "entries": self.entries.records(errors=errors),
            "let_go": self.entries.dropped_count,
        }

    def ingest(self, written: bytes, came_s: float | None = None, whole: bool = False) -> bytes:  # noqa: FBT001, FBT002 - as a capture calls it
        """Keep the messages in output that came at `came_s` (None for now); return what is to be shown."""
        at_s = time.time() if came_s is None else came_s
        return b"".join(part.raw for part in messages(written, whole=whole) if self._is_shown(part, at_s))

    def keep(self, text: str, model: str | None = None) -> None:
        """Keep a long error message or traceback, of which the notebook shows only a few lines."""
        self.entries.add(Message(b"", "error", "", text), time.time(), model)

    def _is_shown(self, message: Message, came_s: float) -> bool:
        if message.severity is None or _is_of_a_child(message.thread):
            return True
        # The message may have waited on its way here, so its own time is better.
        if message.written_s is not None and abs(message.written_s - came_s) < _TRANSIT_S:
            came_s = message.written_s
        # TensorFlow does not say which model a line is about.
        models = () if self.models_at is None else self.models_at(came_s)
        self.entries.add(message, came_s, ", ".join(models) or None)
        if self.mode == "off":
            return message.severity != "info" or message.matters
        return self.mode == "pass" or (message.matters and not _is_about_no_gpu(message))

    def write_past_capture(self, data: bytes) -> None:
        """Write to stderr what has been ingested already."""
        (write_stderr if self._capture is None else self._capture.write)(data)


def _is_about_no_gpu(message: Message) -> bool:
    """Return whether CUDA only reports that it finds no GPU, on a machine without one.

    TensorFlow calls that an error, at the first run of every process. The log keeps it as one, and
    `%tf_runtime libraries` explains it.
    """
    from tfmagic.runtime.libraries.gpu import gpu_files

    return _NO_GPU in message.text and not gpu_files()


def _is_of_a_child(thread: int | None) -> bool:
    """Return whether a native thread is known to belong to a child process, whose output is not ours to sort."""
    if thread is None or sys.platform != "linux" or Path(f"/proc/self/task/{thread}").exists():
        return False
    own = os.getpid()
    with contextlib.suppress(OSError, KeyError, ValueError):
        while thread > 1:
            fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{thread}/status").read_text().splitlines())
            thread = int(fields["PPid"])
            if thread == own:
                return True
    return False


def native_log() -> NativeLog:
    """Return the process's log."""
    return once("native log", NativeLog)
