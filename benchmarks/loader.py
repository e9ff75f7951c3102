"""The dynamic loader's own counters: how often this process has ever loaded an object."""

from __future__ import annotations

import ctypes


class _Record(ctypes.Structure):
    """``struct dl_phdr_info`` of ``link.h``."""

    _fields_ = (
        ("dlpi_addr", ctypes.c_void_p),
        ("dlpi_name", ctypes.c_char_p),
        ("dlpi_phdr", ctypes.c_void_p),
        ("dlpi_phnum", ctypes.c_uint16),
        ("dlpi_adds", ctypes.c_ulonglong),
        ("dlpi_subs", ctypes.c_ulonglong),
    )


def objects_ever_loaded() -> int:
    """Return how many shared objects this process has loaded in its life (Linux)."""
    counts: list[int] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Record), ctypes.c_size_t, ctypes.c_void_p)
    def note(record: ctypes._Pointer[_Record], _size: int, _data: int | None) -> int:
        counts.append(int(record.contents.dlpi_adds))
        return 1  # every record has the same counters: one is enough

    ctypes.CDLL(None).dl_iterate_phdr(note, None)
    return counts[0]
