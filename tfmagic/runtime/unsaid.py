"""Lines on stderr that a native library always writes, kept from being seen."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def unsaid(line: bytes) -> Iterator[None]:
    """Have what is written to file descriptor 2 while the block lasts written at its end, but for some lines.

    For a library that puts a line together of several writes, and asks nobody
    whether it is wanted. What others write meanwhile comes a little later.

    Parameters
    ----------
    line
        A regular expression for the whole of such a line.
    """
    try:
        outside = os.dup(_STDERR)
    except OSError:  # there is none
        yield
        return
    try:
        with tempfile.TemporaryFile(buffering=0) as kept:
            os.dup2(kept.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(outside, _STDERR)
                kept.seek(0)
                rest = re.sub(rb"^(?:" + line + rb")\n", b"", kept.read(), flags=re.MULTILINE)
                # Nobody may be there to read it any more.
                with contextlib.suppress(OSError):
                    while rest:
                        rest = rest[os.write(_STDERR, rest) :]
    finally:
        os.close(outside)
