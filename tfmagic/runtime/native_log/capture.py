"""Capture of file descriptor 2: stderr passes through tfmagic before it goes where it went before.

ipykernel replaces the descriptor with a pipe and shows what comes through; this capture
stands in front of that pipe. On Linux, pipes can keep one write apart from the next, so
there a process without this one's GIL stands between the writers and the thread that
sorts (``pump.py`` says why). Elsewhere the thread reads the pipe directly.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tfmagic.core.process import once
from tfmagic.runtime.native_log import pump
from tfmagic.runtime.native_log.pump import DETACH, FRAME, MARK, is_readable, read_frames
from tfmagic.runtime.native_log.stderr_filter import write_stderr

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable

_STDERR = 2
_PIPE_BYTES = 1 << 20
_MAX_PIECES = 256
_END_S = 5.0
_PUMP_END_S = 0.3


class Capture:
    """Filters everything written to stderr, from its creation until `end`.

    `ingest` takes output, its arrival in seconds since 1970, and whether it is exactly one write; it returns what to
    show. `starts_message` tells whether output starts a message that must be ingested as one, however long.
    """

    def __init__(self, ingest: Callable[[bytes, float, bool], bytes], starts_message: Callable[[bytes], bool]) -> None:
        self._ingest = ingest
        self._starts_message = starts_message
        self._process = os.getpid()
        self._marks: dict[bytes, threading.Event] = {}
        # A message that came in several pieces, and when it started.
        self._unfinished: tuple[float, list[bytes]] | None = None
        self._detached = False
        self._original = os.dup(_STDERR)
        self._control, self._control_end = os.pipe()
        packets = _packet_pipe()
        self._packets = packets is not None
        self._inlet, self._inlet_end = packets or os.pipe()
        self._frames: int | None = None
        self._pump = self._start_pump() if self._packets else None
        self._thread = threading.Thread(target=self._read, name="tfmagic-log", daemon=True)
        self._thread.start()
        os.dup2(self._inlet_end, _STDERR)

    def _start_pump(self) -> subprocess.Popen[bytes] | None:
        pipe = _packet_pipe()
        if pipe is None or not sys.executable:
            return None
        self._frames, outlet = pipe
        fds = (self._inlet, self._control, outlet, self._frames, self._original, _terminal(self._original))
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter, and a file of this package
                [sys.executable, "-I", "-S", str(pump.__file__), *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=fds,
                # Its working directory could not be unmounted.
                cwd=os.sep,
                # Ctrl-C must not reach it.
                start_new_session=True,
            )
        except OSError:
            return None
        finally:
            os.close(outlet)

    def write(self, data: bytes) -> None:
        """Write to where stderr went before the capture."""
        write_stderr(data, self._original)

    def drain(self, timeout_s: float) -> None:
        """Wait, for `timeout_s` at most, until everything written so far has been filtered."""
        if not self._packets or os.getpid() != self._process:
            return
        mark = MARK + os.urandom(16).hex().encode() + b"\0"
        self._marks[mark] = seen = threading.Event()
        poll = select.poll()
        poll.register(self._inlet_end, select.POLLOUT)
        # Not into a full pipe: that could wait for as long as others fill it.
        if poll.poll(0):
            os.write(self._inlet_end, mark)
            seen.wait(timeout_s)

    def end(self) -> None:
        """Restore stderr; what was written before is filtered before this returns."""
        if os.getpid() != self._process:  # a fork: the capture belongs to its parent
            return
        self._detached = True
        # Somebody who has replaced the descriptor since restores it themselves.
        with contextlib.suppress(OSError):
            if os.path.sameopenfile(_STDERR, self._inlet_end):
                os.dup2(self._original, _STDERR)
        os.close(self._inlet_end)
        with contextlib.suppress(OSError):
            os.write(self._control_end, DETACH)
        os.close(self._control_end)
        # It takes longer only if nobody reads stderr, or a flood is under way; then the thread ends later.
        self._thread.join(_END_S)

    def _read(self) -> None:
        try:
            self._filter_all()
        finally:
            for descriptor in (self._inlet, self._control, self._original, self._frames):
                if descriptor is not None:
                    os.close(descriptor)
            _reap(self._pump)

    def _filter_all(self) -> None:
        while self._frames is not None and (frame := os.read(self._frames, 65536)):
            self._take_frame(frame)
        if self._pump is None or not self._detached:
            # There is no pump, or somebody killed it: read until the capture ends, and then the rest.
            while _is_inlet_ready(self._inlet, self._control) or is_readable(self._inlet, 0):
                for frame in read_frames(self._inlet):
                    self._take_frame(frame)
        self._flush_unfinished()

    def _take_frame(self, frame: bytes) -> None:
        came_s, more = FRAME.unpack_from(frame)
        piece = frame[FRAME.size :]
        if (seen := self._marks.pop(piece, None)) is not None:
            self._flush_unfinished()
            seen.set()
            return
        if self._unfinished is None and not (more and self._starts_message(piece)):
            self._filter(piece, came_s)
            return
        if self._unfinished is None:
            self._unfinished = (came_s, [])
        self._unfinished[1].append(piece)
        if not more or len(self._unfinished[1]) == _MAX_PIECES:
            self._flush_unfinished()

    def _flush_unfinished(self) -> None:
        if self._unfinished is not None:
            (came_s, pieces), self._unfinished = self._unfinished, None
            self._filter(b"".join(pieces), came_s)

    def _filter(self, written: bytes, came_s: float) -> None:
        try:
            shown = self._ingest(written, came_s, self._packets)
        except Exception:  # noqa: BLE001 - whatever is wrong with the log, stderr goes on
            shown = written
        self.write(shown)


def _packet_pipe() -> tuple[int, int] | None:
    """Return a pipe whose reads return one write each; None where the system has none."""
    if sys.platform != "linux":
        return None
    try:
        ends = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None
    os.write(ends[1], b"one")
    os.write(ends[1], b"two")
    if os.read(ends[0], 8) != b"one":
        os.close(ends[0])
        os.close(ends[1])
        return None
    os.read(ends[0], 8)
    with contextlib.suppress(OSError):  # the user may have used up the system's limit
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return ends


def _terminal(original: int) -> int:
    """Return the descriptor at which ipykernel keeps the stderr that it found; `original` where there is none."""
    try:
        kept = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return original
    return original if kept == _STDERR else kept


def _is_inlet_ready(inlet: int, control: int) -> bool:
    """Wait, and return whether there is something to read and the capture has not ended."""
    poll = select.poll()
    for descriptor in (inlet, control):
        poll.register(descriptor, select.POLLIN)
    ready = dict(poll.poll())
    return control not in ready and bool(ready.get(inlet, 0) & select.POLLIN)


def _reap(process: subprocess.Popen[bytes] | None) -> None:
    """Wait for a pump to end; a pump that still serves a child is reaped the next time."""
    pumps: list[subprocess.Popen[bytes]] = once("log pumps", list)
    if process is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PUMP_END_S)
        pumps.append(process)
    pumps[:] = [running for running in pumps if running.poll() is None]
