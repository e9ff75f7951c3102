"""Compare a file byte for byte with what is mapped at an address."""

from __future__ import annotations

import os
from contextlib import ExitStack

from tfmagic.runtime.libraries.elf import NoElfError, read_elf

# Reading a page that is gone is an error through this file; directly, it would end the process.
_MEMORY = "/proc/self/mem"
_PIECE_BYTES = 1 << 20


def is_mapped(path: str, address: int | None) -> bool | None:
    """Return whether the read-only parts of a shared object are the same in memory as in the file.

    Only the bytes tell: another file may since have come to the path of a loaded library, and the same library can
    lie at another path. `address` is the load address. None where memory cannot be read (other platforms), or the
    file cannot be compared.
    """
    if address is None:
        return None
    try:
        parts = read_elf(path).constant
        with ExitStack() as open_files:
            file, memory = (_opened(name, open_files) for name in (path, _MEMORY))
            return bool(parts) and all(
                _are_equal(file, offset + done, memory, address + start + done, min(_PIECE_BYTES, size - done))
                for offset, start, size in parts
                for done in range(0, size, _PIECE_BYTES)
            )
    except (OSError, NoElfError):
        return None


def _opened(path: str, open_files: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    open_files.callback(os.close, descriptor)
    return descriptor


def _are_equal(file: int, offset: int, memory: int, address: int, size: int) -> bool:
    try:
        mapped = os.pread(memory, size, address)
    except OSError:  # nothing is mapped there: the loaded library is smaller
        return False
    return mapped == os.pread(file, size, offset)
