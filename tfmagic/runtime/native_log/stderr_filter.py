"""TensorFlow's start-up banners, kept out of the notebook.

Importing TensorFlow prints ten lines on stderr, most of them twice (it carries two
copies of the code that prints them), before the variable that should silence them
counts. They are informational and go to the log alone; whatever is not is shown.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.runtime.native_log.log import native_log

if TYPE_CHECKING:
    from collections.abc import Iterator


_STDERR = 2
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def without_banners() -> Iterator[None]:
    """Hold back informational lines that native code writes to stderr within the block.

    Informational messages stay off afterwards, too, unless the person has set
    ``TF_CPP_MIN_LOG_LEVEL``; warnings and errors do not. When the block raises,
    every line comes out.
    """
    # Also with a log to take them: below the level TensorFlow does not even make the
    # texts, and a person who looks at the log looks for what is wrong. Who wants to
    # read it all sets the level to 0.
    ours = _LEVEL not in os.environ
    os.environ.setdefault(_LEVEL, "1")
    stderr = _duplicate(_STDERR)
    try:
        if stderr is None:
            yield
        else:
            with _held_back(stderr):
                yield
    finally:
        if stderr is not None:
            os.close(stderr)
        if ours:
            # TensorFlow has read it; child processes are not to inherit it.
            os.environ.pop(_LEVEL, None)


def _duplicate(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:  # a process without stderr
        return None


@contextmanager
def _held_back(stderr: int) -> Iterator[None]:
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(stderr, _STDERR)
            held.seek(0)
            written = held.read()
            shown = native_log().heard(written)
            native_log().pass_on(written if failed else shown)


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
