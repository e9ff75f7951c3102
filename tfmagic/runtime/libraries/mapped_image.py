"""Whether a file is what is mapped at an address, byte for byte."""

from __future__ import annotations

import os
from contextlib import ExitStack

from tfmagic.runtime.libraries.elf import NoElfError, read_elf

# Through this file a page that is no longer there is an error; read directly, it ends the process.
_MEMORY = "/proc/self/mem"
_PIECE = 1 << 20


def is_mapped(path: str, address: int | None) -> bool | None:
    """Return whether the parts of a shared object that are never written stand in memory as in the file.

    Another file may since have come to the path from which a library was loaded, and
    the same library can lie at another path: only the bytes tell.

    Parameters
    ----------
    path
        The file.
    address
        What the addresses of the loaded one are counted from.

    Returns
    -------
    bool or None
        None where memory cannot be looked at (other platforms), or the file is none
        to compare.
    """
    if address is None:
        return None
    try:
        parts = read_elf(path).constant
        with ExitStack() as open_files:
            file, memory = (_opened(one, open_files) for one in (path, _MEMORY))
            return bool(parts) and all(
                _alike(file, place + done, memory, address + begin + done, min(_PIECE, size - done))
                for place, begin, size in parts
                for done in range(0, size, _PIECE)
            )
    except (OSError, NoElfError):
        return None


def _opened(path: str, open_files: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    open_files.callback(os.close, descriptor)
    return descriptor


def _alike(file: int, place: int, memory: int, address: int, size: int) -> bool:
    try:
        mapped = os.pread(memory, size, address)
    except OSError:  # nothing is mapped there: what is loaded is smaller
        return False
    return mapped == os.pread(file, size, place)
