"""A process that empties the stderr pipe, so that writers never wait for the kernel's GIL.

A pipe holds 64 kB; whoever writes to a full pipe waits for its reader. A reader that is
a Python thread needs the GIL, and native code may log while it holds the GIL: then both
wait forever, and the kernel with them (ipykernel's own capture does; 300 kB are
enough). This process has a GIL of its own. It also survives an abort of the kernel, and
so delivers the last lines, and it serves children that still have the pipe after the
kernel has detached.

Run with ``python -I -S``, so that it imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import sys
import time
from collections import deque

TYPE_CHECKING = False  # importing typing would take longer than everything else here
if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME = struct.Struct("<d?")
"""Precedes each piece: when it came, and whether more of the same write follows."""

DETACH = b"."
"""The kernel sends this before it ends the capture; when it dies it sends nothing."""

MARK = b"\0tfmagic "
"""Begins the kernel's own marks: writes that only its reader may see."""

_PIECE = 4_000
_LIMIT_BYTES = 64 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_NEXT_PAGE_MS = 20
_LAST_WORDS = 64
_LAST_WORDS_S = 10.0


def read_frames(inlet: int) -> list[bytes]:
    """Return one read in frames that fit a pipe; empty at the end of input.

    A pipe in packet mode returns one write at a time, a long one page by page.
    """
    data = os.read(inlet, max(_PAGE, 65536))
    # A write that ends with a line counts as finished: better to show a line too many than one too few.
    more = len(data) == _PAGE and not data.endswith(b"\n") and is_readable(inlet, _NEXT_PAGE_MS)
    came_s = time.time()
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    last = len(pieces) - 1
    return [FRAME.pack(came_s, more or number < last) + piece for number, piece in enumerate(pieces)]


def is_readable(inlet: int, milliseconds: int) -> bool:
    """Return whether there is something to read, or there will be within a time."""
    poll = select.poll()
    poll.register(inlet, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(milliseconds))


def pump(descriptors: Sequence[int]) -> None:
    """Pass output on until nobody can write any more.

    The descriptors are the stderr pipe; the control pipe, which ends when the kernel detaches or dies; both ends of the
    pipe to the kernel's reader; where stderr went before; where it goes when the kernel has died.
    """
    inlet, control, outlet, kernel_end, outside, terminal = descriptors
    backlog: deque[bytes] = deque()
    recent: deque[bytes] = deque(maxlen=_LAST_WORDS)
    os.set_blocking(outlet, False)
    _serve(inlet, control, outlet, backlog, recent)
    if os.read(control, 1) == DETACH:
        os.close(kernel_end)
        while is_readable(inlet, 0) and (frames := read_frames(inlet)):
            backlog.extend(frames)
        os.set_blocking(outlet, True)
        with contextlib.suppress(OSError):
            for frame in backlog:
                os.write(outlet, frame)
        os.close(outlet)
        sinks = [outside, terminal]
    else:
        os.set_blocking(kernel_end, False)
        os.close(outlet)
        sinks = [terminal]
        unread = []
        with contextlib.suppress(OSError):
            while frame := os.read(kernel_end, 65536):
                unread.append(frame)
        # What the kernel had read may be lost with it before it was shown: better twice than never.
        read = list(recent)[: max(0, len(recent) - len(unread))]
        since_s = time.time() - _LAST_WORDS_S
        recently_read = [frame for frame in read if FRAME.unpack_from(frame)[0] >= since_s]
        for frame in (*recently_read, *unread, *backlog):
            _put(sinks, frame[FRAME.size :])
    # Children may still write; without a reader that would kill them.
    while data := os.read(inlet, 65536):
        _put(sinks, data)


def _serve(inlet: int, control: int, outlet: int, backlog: deque[bytes], recent: deque[bytes]) -> None:
    """Serve until the kernel detaches or dies; `recent` keeps the frames that it was given last."""
    held_bytes = 0
    ended = False
    while True:
        poll = select.poll()
        poll.register(control, select.POLLIN)
        if held_bytes < _LIMIT_BYTES and not ended:
            poll.register(inlet, select.POLLIN)
        if backlog:
            poll.register(outlet, select.POLLOUT)
        ready = dict(poll.poll())
        if control in ready:
            return
        if inlet in ready:
            frames = read_frames(inlet)
            ended = not frames
            backlog.extend(frames)
            held_bytes += sum(map(sys.getsizeof, frames))
        with contextlib.suppress(BlockingIOError):
            while backlog:
                os.write(outlet, backlog[0])
                recent.append(backlog.popleft())
                held_bytes -= sys.getsizeof(recent[-1])


def _put(sinks: list[int], data: bytes) -> None:
    if data.startswith(MARK):
        return
    while sinks and data:
        try:
            data = data[os.write(sinks[0], data) :]
        except OSError:
            del sinks[0]


if __name__ == "__main__":
    pump([int(descriptor) for descriptor in sys.argv[1:]])
    os._exit(0)
