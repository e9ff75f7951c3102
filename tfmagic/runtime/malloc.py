"""The process's malloc: what it holds free, and giving that back to the system."""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

# malloc.h; the largest int, so that every buffer comes from the heap and stays with it.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_EVERYTHING = 2**31 - 1


class Malloc(ABC):
    """One platform's malloc.

    Attributes
    ----------
    name : str
        What it is called.
    set : tuple of str
        The settings that tfmagic has made in it, as one would write them in C.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.set: tuple[str, ...] = ()
        self._after_bytes: int | None = None
        self._trimming = threading.Lock()

    def keep_buffers(self) -> None:  # noqa: B027 - most have nothing to set
        """Have large buffers stay with the process between runs, so that they need not be mapped anew each time."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return how much is free and not given back, pages that were trimmed included; None where it does not say."""

    @abstractmethod
    def trim(self) -> bool:
        """Give every free page back to the system; return whether there was a call for it."""

    def trim_over(self, threshold_bytes: int) -> bool:
        """Trim where more than that is free and resident; return whether that was done.

        What was trimmed still counts as free to malloc, so the process must also
        have grown since the last time.
        """
        free = self.free_bytes()
        if free is None or free <= threshold_bytes:
            return False
        if self._after_bytes is not None and rss_bytes() < self._after_bytes + threshold_bytes // 2:
            return False
        return self.trim_now()

    def trim_now(self) -> bool:
        """Trim, and return whether there was a call for it."""
        with self._trimming:
            done = self.trim()
            self._after_bytes = rss_bytes()
        return done


class _Mallinfo2(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


class GlibcMalloc(Malloc):
    """The GNU C library's."""

    name = "glibc"

    def __init__(self, library: ctypes.CDLL) -> None:
        super().__init__()
        self._library = library
        # Since glibc 2.33.
        self._info: Callable[[], _Mallinfo2] | None = getattr(library, "mallinfo2", None)
        if self._info is not None:
            library.mallinfo2.restype = _Mallinfo2

    def keep_buffers(self) -> None:
        """Raise the sizes above which a buffer is mapped apart, and free memory is given back by itself."""
        made = []
        for name, number in (("M_MMAP_THRESHOLD", _MMAP_THRESHOLD), ("M_TRIM_THRESHOLD", _TRIM_THRESHOLD)):
            if self._library.mallopt(number, _EVERYTHING) == 1:
                made.append(f"mallopt({name}, {_EVERYTHING})")
        self.set = tuple(made)

    def free_bytes(self) -> int | None:
        """Return ``fordblks`` of ``mallinfo2``."""
        return None if self._info is None else int(self._info().fordblks)

    def trim(self) -> bool:
        """Call ``malloc_trim(0)``."""
        self._library.malloc_trim(0)
        return True


class MacMalloc(Malloc):
    """macOS's zones: they keep less by themselves, and do not say how much."""

    name = "macOS"

    def __init__(self, library: ctypes.CDLL) -> None:
        super().__init__()
        self._library = library
        library.malloc_zone_pressure_relief.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        library.malloc_zone_pressure_relief.restype = ctypes.c_size_t

    def free_bytes(self) -> None:
        """Return None: the zones do not say."""
        return

    def trim(self) -> bool:
        """Call ``malloc_zone_pressure_relief`` for every zone."""
        self._library.malloc_zone_pressure_relief(None, 0)
        return True


class OtherMalloc(Malloc):
    """One that has no call to give memory back, or none that is known here."""

    name = "other"

    def free_bytes(self) -> None:
        """Return None: it does not say."""
        return

    def trim(self) -> bool:
        """Return False: there is no call for it."""
        return False


def _found() -> Malloc:
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return MacMalloc(library)
        if platform.libc_ver()[0] == "glibc" and not _is_replaced(library):
            return GlibcMalloc(library)
    except (OSError, TypeError, AttributeError):  # Windows has no library None
        pass
    return OtherMalloc()


def _is_replaced(library: ctypes.CDLL) -> bool:
    """Return whether jemalloc, tcmalloc or mimalloc has taken glibc's place (LD_PRELOAD)."""
    return any(hasattr(library, name) for name in ("mallctl", "MallocExtension_GetNumericProperty", "mi_malloc"))


def malloc() -> Malloc:
    """Return the process's malloc."""
    return once("malloc", _found)


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    # Here: loading the extension is to stay quick.
    import psutil

    return int(psutil.Process().memory_info().rss)
