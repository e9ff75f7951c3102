"""A process that takes what is written to stderr off the writers' hands.

A pipe holds 64 kB; whoever writes to a full one waits for its reader. A reader that is
a Python thread needs the GIL, and native code may log while it holds the GIL: then both
wait for good, and the kernel with them (ipykernel's own capture does; 300 kB are
enough). This process needs no GIL but its own. It also outlives an abort, whose last
words a thread would take with it, and serves children that still have the pipe after
the kernel has let go of it.

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

TYPE_CHECKING = False  # as typing has it, which would take longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME = struct.Struct("<d?")
"""What goes before each piece: when it came, and whether more of the same write follows."""

LET_GO = b"."
"""What the kernel says before it goes; when it dies it says nothing."""

MARK = b"\0tfmagic "
"""What the kernel's own marks begin with: writes that only its reader is to see."""

_PIECE = 4_000
_LIMIT_BYTES = 64 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_NEXT_PAGE_MS = 20
_LAST_WORDS = 64
_LAST_WORDS_S = 10.0


def read_frames(inlet: int) -> list[bytes]:
    """Return what one read gives, in frames that a pipe takes whole; empty at the end.

    A pipe in packet mode gives one write at a time, a longer one in pages.
    """
    data = os.read(inlet, max(_PAGE, 65536))
    # At the end of a line it counts as ended: rather a line too many is seen than one too few.
    more = len(data) == _PAGE and not data.endswith(b"\n") and _waiting(inlet, _NEXT_PAGE_MS)
    came_s = time.time()
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
    last = len(pieces) - 1
    return [FRAME.pack(came_s, more or number < last) + piece for number, piece in enumerate(pieces)]


def _waiting(inlet: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(inlet, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(milliseconds))


def pump(descriptors: Sequence[int]) -> None:
    """Pass on what comes, until nobody can write any more.

    Parameters
    ----------
    descriptors
        Six: what is written to stderr, in packets; what ends when the kernel lets go,
        or dies; both ends of the pipe to the kernel's reader, that to write to first;
        where stderr went before; where it goes when the kernel has died.
    """
    inlet, control, outlet, own_end, outside, terminal = descriptors
    backlog: deque[bytes] = deque()
    recent: deque[bytes] = deque(maxlen=_LAST_WORDS)
    os.set_blocking(outlet, False)
    _serve(inlet, control, outlet, backlog, recent)
    if os.read(control, 1) == LET_GO:
        os.close(own_end)
        while _waiting(inlet, 0) and (frames := read_frames(inlet)):
            backlog.extend(frames)
        os.set_blocking(outlet, True)
        with contextlib.suppress(OSError):
            for frame in backlog:
                os.write(outlet, frame)
        os.close(outlet)
        sinks = [outside, terminal]
    else:
        os.set_blocking(own_end, False)
        os.close(outlet)
        sinks = [terminal]
        unread = []
        with contextlib.suppress(OSError):
            while frame := os.read(own_end, 65536):
                unread.append(frame)
        # What the kernel had read may have ended with it all the same, a few steps on: rather twice than never.
        read = list(recent)[: max(0, len(recent) - len(unread))]
        since_s = time.time() - _LAST_WORDS_S
        late = [frame for frame in read if FRAME.unpack_from(frame)[0] >= since_s]
        for frame in (*late, *unread, *backlog):
            _put(sinks, frame[FRAME.size :])
    # Children may still write; without a reader they would die of it.
    while data := os.read(inlet, 65536):
        _put(sinks, data)


def _serve(inlet: int, control: int, outlet: int, backlog: deque[bytes], recent: deque[bytes]) -> None:
    """Go on until the kernel says something, or nothing ever again; `recent` is what it was given last."""
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
    pump([int(one) for one in sys.argv[1:]])
    os._exit(0)
