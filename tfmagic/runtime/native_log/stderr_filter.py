"""Buffer stderr during a block, and write it at the end without the lines that are not wanted."""

from __future__ import annotations

import os
import re
import select
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDERR = 2


def write_stderr(data: bytes, descriptor: int = _STDERR) -> None:
    """Write everything to where stderr goes; where nobody reads it any more, do nothing."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError:
            return


@contextmanager
def stderr_filter(keep: Callable[[bytes], bytes], write: Callable[[bytes], None] = write_stderr) -> Iterator[None]:
    """Buffer what anybody writes to file descriptor 2 during the block, then `write` what `keep` returns of it."""
    try:
        original = os.dup(_STDERR)
    except OSError:  # a process without stderr
        yield
        return
    try:
        with tempfile.TemporaryFile(buffering=0) as buffer:
            os.dup2(buffer.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(original, _STDERR)
                buffer.seek(0)
                write(keep(buffer.read()))
    finally:
        os.close(original)


def without_lines(pattern: bytes) -> Callable[[bytes], bytes]:
    """Return a function for `stderr_filter` that removes whole lines which match a regular expression."""
    line = re.compile(rb"^(?:" + pattern + rb")\n", re.MULTILINE)
    return lambda written: line.sub(b"", written)
