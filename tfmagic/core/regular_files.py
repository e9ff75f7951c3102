"""What is looked at before a file is read: that it is one, and that there is something in it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from tfmagic.core.paths import existing_path
from tfmagic.core.units import size_text
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OTHERS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# Below this size nobody minds reading the holes of a sparse file.
_SPARSE_BYTES = 1 << 28
_MOST_HOLES = 64
_POINTER_BYTES = 1024

POINTER = "a pointer of git-lfs, not the file itself: fetch that with: git lfs pull"
"""What is said of a pointer."""


def regular_file(path: Path) -> Path:
    """Return `path` if it is a file with content; a `SourceError` for a pipe, a device, a folder, or a file of holes.

    Reading a pipe waits for ever, a device has no end, and a sparse file can be larger than any memory.
    """
    status = existing_path(path).stat()
    other = next((words for is_kind, words in _OTHERS if is_kind(status.st_mode)), None)
    if other is not None:
        link = f"a link to {os.path.realpath(path)}, " if path.is_symlink() else ""
        msg = f"{path} is {link}{other}: expected a file"
        raise SourceError(msg)
    if status.st_size >= _SPARSE_BYTES:
        contained = _contained_bytes(path, status.st_size)
        if contained * _MOST_HOLES < status.st_size:
            msg = (
                f"{path} is {size_text(status.st_size)} long and contains {size_text(contained)}, the rest are holes: "
                "it is no whole file, copy or download it again"
            )
            raise SourceError(msg)
    return path


def regular_files(paths: Iterable[Path]) -> None:
    """Check those paths at which there is something, as `regular_file` does, and refuse pointers of git-lfs."""
    for path in paths:
        if path.exists() and regular_file(path).stat().st_size < _POINTER_BYTES and is_pointer(path.read_bytes()):
            msg = f"{path} is {POINTER}"
            raise SourceError(msg)


def is_pointer(content: bytes) -> bool:
    """Return whether this is what git leaves in the place of a large file."""
    return content.startswith(b"version https://git-lfs")


def _contained_bytes(path: Path, size: int) -> int:
    """Return how much of a file is on the disk, without its holes, or enough to tell that they are few."""
    contained = at = 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # Where the file system does not know of holes, it names none. Behind the last data it raises an error.
        with suppress(OSError):
            while at < size and contained * _MOST_HOLES < size:
                begin = os.lseek(descriptor, at, os.SEEK_DATA)
                at = os.lseek(descriptor, begin, os.SEEK_HOLE)
                contained += at - begin
    finally:
        os.close(descriptor)
    return contained
