"""The heaps of an HDF5 file, in which its texts are: one that is damaged has HDF5 read without end.

HDF5 holds Python's lock meanwhile, so that nothing could stop it.
"""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache
from pathlib import Path

from tfmagic.errors import SourceError

# A global heap of the HDF5 file format, version 1: signature and version, then its size. Entries have a number,
# the free space has 0, and their size. https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
_SIGNATURE = b"GCOL\x01\0\0\0"
_HEADER = struct.Struct("<8sQ")
_ENTRY = struct.Struct("<HHIQ")


def check_heaps(path: Path) -> None:
    """Refuse a file with a heap whose entries lead nowhere or back."""
    status = path.stat()
    if (at := _damaged_heap(str(path), status.st_size, status.st_mtime_ns)) is not None:
        msg = f"{path} cannot be read, it may be damaged (a heap of HDF5 at byte {at} has entries of no size)"
        raise SourceError(msg)


@lru_cache(maxsize=16)
def _damaged_heap(path: str, size_bytes: int, changed_ns: int) -> int | None:
    del changed_ns  # the same file with another content
    if size_bytes < _HEADER.size:
        return None
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_SIGNATURE)
        while at >= 0:
            if not _is_sound(content, at):
                return at
            at = content.find(_SIGNATURE, at + 1)
    return None


def _is_sound(content: mmap.mmap, at: int) -> bool:
    if at + _HEADER.size > len(content):
        return True
    end = at + _HEADER.unpack_from(content, at)[1]
    at += _HEADER.size
    while at + _ENTRY.size <= min(end, len(content)):
        number, _, _, size = _ENTRY.unpack_from(content, at)
        # The size of the free space includes its own header.
        length = size if number == 0 else _ENTRY.size + (size + 7) // 8 * 8
        if length < _ENTRY.size or at + length > end:
            return False
        at += length
    return True
