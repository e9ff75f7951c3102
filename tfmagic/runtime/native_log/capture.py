"""File descriptor 2 of this process, led past tfmagic on its way to where it went before.

ipykernel puts a pipe of its own there and shows what comes; this goes in front of it.
Between the writers and the thread that sorts stands a process without this one's GIL
(``log_pump.py`` says why), where the system has pipes that keep one write apart from
the next (Linux); elsewhere the thread reads by itself.
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
from tfmagic.runtime.native_log import pump as log_pump
from tfmagic.runtime.native_log.pump import FRAME, LET_GO, MARK, read_frames

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable

_STDERR = 2
_SIZE_BYTES = 1 << 20
_WHOLE_PIECES = 256
_END_S = 5.0
_PUMP_END_S = 0.3


class Capture:
    """Has what is written to stderr sorted, from its making until `end`.

    Parameters
    ----------
    heard
        Is given what was written, when it came in seconds since 1970, and whether
        it is one whole write; returns what passes.
    begins
        Whether it begins a write that is to be heard whole, however long.
    """

    def __init__(self, heard: Callable[[bytes, float, bool], bytes], begins: Callable[[bytes], bool]) -> None:
        self._heard = heard
        self._begins = begins
        self._process = os.getpid()
        self._marks: dict[bytes, threading.Event] = {}
        self._long: tuple[float, list[bytes]] | None = None
        self._letting_go = False
        self._outside = os.dup(_STDERR)
        self._control, self._control_end = os.pipe()
        packets = _packet_pipe()
        self._packets = packets is not None
        self._inlet, self._inlet_end = packets or os.pipe()
        self._frames: int | None = None
        self._pump = self._started_pump() if self._packets else None
        self._thread = threading.Thread(target=self._read, name="tfmagic-log", daemon=True)
        self._thread.start()
        os.dup2(self._inlet_end, _STDERR)

    def _started_pump(self) -> subprocess.Popen[bytes] | None:
        pipe = _packet_pipe()
        if pipe is None or not sys.executable:
            return None
        self._frames, outlet = pipe
        fds = (self._inlet, self._control, outlet, self._frames, self._outside, _terminal(self._outside))
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter, and a file of this package
                [sys.executable, "-I", "-S", str(log_pump.__file__), *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=fds,
                # A folder that it stands in could not be unmounted.
                cwd=os.sep,
                # Ctrl-C in the kernel is not meant for it.
                start_new_session=True,
            )
        except OSError:
            return None
        finally:
            os.close(outlet)

    def write(self, data: bytes) -> None:
        """Write to where stderr went before."""
        while data:
            try:
                data = data[os.write(self._outside, data) :]
            except BlockingIOError:
                select.select([], [self._outside], [])
            except OSError:  # nobody is there any more
                return

    def settle(self, patience_s: float) -> None:
        """Wait until what was written by now has been sorted, and passed on where it passes.

        Parameters
        ----------
        patience_s
            How long at most.
        """
        if not self._packets or os.getpid() != self._process:
            return
        mark = MARK + os.urandom(16).hex().encode() + b"\0"
        self._marks[mark] = seen = threading.Event()
        poll = select.poll()
        poll.register(self._inlet_end, select.POLLOUT)
        # Never into a full pipe: that would wait for as long as others fill it.
        if poll.poll(0):
            os.write(self._inlet_end, mark)
            seen.wait(patience_s)

    def end(self) -> None:
        """Put stderr back as it was; what was written by then is sorted before this returns."""
        if os.getpid() != self._process:  # a fork: the capture is its parent's
            return
        self._letting_go = True
        # Whoever has put something else there since takes it away again.
        with contextlib.suppress(OSError):
            if os.path.sameopenfile(_STDERR, self._inlet_end):
                os.dup2(self._outside, _STDERR)
        os.close(self._inlet_end)
        with contextlib.suppress(OSError):
            os.write(self._control_end, LET_GO)
        os.close(self._control_end)
        # Longer only where nobody reads what passes, or a flood is on its way; then it ends by itself.
        self._thread.join(_END_S)

    # -- the thread ---------------------------------------------------------------

    def _read(self) -> None:
        try:
            self._sort_all()
        finally:
            for descriptor in (self._inlet, self._control, self._outside, self._frames):
                if descriptor is not None:
                    os.close(descriptor)
            _reap(self._pump)

    def _sort_all(self) -> None:
        while self._frames is not None and (frame := os.read(self._frames, 65536)):
            self._take(frame)
        if self._pump is None or not self._letting_go:
            # There is no pump, or somebody has ended it: read until the kernel lets go, and then what is left.
            while _ready(self._inlet, self._control) or _ready(self._inlet, milliseconds=0):
                for frame in read_frames(self._inlet):
                    self._take(frame)
        self._hear_long()

    def _take(self, frame: bytes) -> None:
        came_s, more = FRAME.unpack_from(frame)
        piece = frame[FRAME.size :]
        if (seen := self._marks.pop(piece, None)) is not None:
            self._hear_long()
            seen.set()
            return
        if self._long is None and not (more and self._begins(piece)):
            self._sort(piece, came_s)
            return
        if self._long is None:
            self._long = (came_s, [])
        self._long[1].append(piece)
        if not more or len(self._long[1]) == _WHOLE_PIECES:
            self._hear_long()

    def _hear_long(self) -> None:
        if self._long is not None:
            (came_s, pieces), self._long = self._long, None
            self._sort(b"".join(pieces), came_s)

    def _sort(self, written: bytes, came_s: float) -> None:
        try:
            passes = self._heard(written, came_s, self._packets)
        except Exception:  # noqa: BLE001 - whatever is wrong with the log, stderr goes on
            passes = written
        self.write(passes)


def _packet_pipe() -> tuple[int, int] | None:
    """Return a pipe of which a read gives what one write put in; None where the system has none."""
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
    with contextlib.suppress(OSError):  # a person may have used up what the system allows
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _SIZE_BYTES)
    return ends


def _terminal(outside: int) -> int:
    """Return what ipykernel keeps of the stderr that it found; `outside` where there is no such thing."""
    try:
        found = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return outside
    return outside if found == _STDERR else found


def _ready(inlet: int, control: int | None = None, *, milliseconds: int | None = None) -> bool:
    """Wait, and return whether there is something to read and the kernel has not let go."""
    poll = select.poll()
    poll.register(inlet, select.POLLIN)
    if control is not None:
        poll.register(control, select.POLLIN)
    ready = dict(poll.poll(milliseconds))
    return control not in ready and bool(ready.get(inlet, 0) & select.POLLIN)


def _reap(pump: subprocess.Popen[bytes] | None) -> None:
    """Wait for a pump to end; one that still serves a child is looked at the next time."""
    pumps: list[subprocess.Popen[bytes]] = once("log pumps", list)
    if pump is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            pump.wait(_PUMP_END_S)
        pumps.append(pump)
    pumps[:] = [one for one in pumps if one.poll() is None]
