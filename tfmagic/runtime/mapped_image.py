"""Whether a file is what is mapped at an address, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

from tfmagic.runtime.elf import NoElfError, read_elf

# Through this file a page that is no longer there is an error; read directly, it ends the process.
_MEMORY = "/proc/self/mem"


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
        data = Path(path).read_bytes()
        memory = os.open(_MEMORY, os.O_RDONLY)
    except (OSError, NoElfError):
        return None
    try:
        return bool(parts) and all(
            os.pread(memory, size, address + begin) == data[place : place + size] for place, begin, size in parts
        )
    except OSError:  # nothing is mapped there: something smaller is
        return False
    finally:
        os.close(memory)
