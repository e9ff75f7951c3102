"""The process's malloc: what it holds free, and giving that back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import sys
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil

# malloc.h; the largest int, so that every buffer comes from the heap and stays with it.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
_EVERYTHING = 2**31 - 1
# Above FASTBIN_CONSOLIDATION_THRESHOLD of malloc.c: freeing that much looks at the arena's end.
_LOOKED_AT_BYTES = 1 << 17


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
        self._returned_bytes = 0
        self._trimming = threading.Lock()

    def keep_buffers(self) -> None:  # noqa: B027 - most have nothing to set
        """Have large buffers stay with the process between runs, so that they need not be mapped anew each time."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Return how much is free, pages that were trimmed included; None where it does not say."""

    def held_free_bytes(self) -> int | None:
        """Return how much is free and not given back, as far as is known; None where it does not say.

        What was trimmed counts as free to malloc all the same. It stays given back
        until it is used again, and as much is in use again as free memory has become
        less since.
        """
        free = self.free_bytes()
        return None if free is None else self._held_of(free)

    def _held_of(self, free_bytes: int) -> int:
        self._returned_bytes = min(self._returned_bytes, free_bytes)
        return free_bytes - self._returned_bytes

    @abstractmethod
    def trim(self) -> bool:
        """Give every free page back to the system; return whether there was a call for it."""

    def trim_over(self, threshold_bytes: int) -> bool:
        """Trim where more than that is free and resident; return whether that was done.

        Pages may have been used and freed again since anybody looked: the process has
        then grown since the last time, and that is reason enough, too.
        """
        # Asked once: malloc goes through all that is free, which can be a hundred thousand pieces.
        free = self.free_bytes()
        if free is None:
            return False
        held = self._held_of(free)
        if free <= threshold_bytes:
            return False
        grown = self._after_bytes is None or rss_bytes() >= self._after_bytes + threshold_bytes // 2
        return self.trim_now() if held > threshold_bytes or grown else False

    def trim_now(self) -> bool:
        """Trim, and return whether there was a call for it."""
        with self._trimming:
            done = self.trim()
            self._after_bytes = rss_bytes()
            self._returned_bytes = self.free_bytes() or 0
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
        self._counted_arenas = 0
        library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        library.free.argtypes, library.free.restype = [ctypes.c_void_p], None
        # Since glibc 2.33.
        self._info: Callable[[], _Mallinfo2] | None = getattr(library, "mallinfo2", None)
        if self._info is not None:
            library.mallinfo2.restype = _Mallinfo2

    def keep_buffers(self) -> None:
        """Raise the sizes above which a buffer is mapped apart, and free memory is given back by itself.

        Threads share as many arenas as there are processors: each can keep 64 MB at its
        end that `trim` has to go after, and glibc would make eight times as many.
        """
        made = []
        for name, number, value in (
            ("M_MMAP_THRESHOLD", _MMAP_THRESHOLD, _EVERYTHING),
            ("M_TRIM_THRESHOLD", _TRIM_THRESHOLD, _EVERYTHING),
            ("M_ARENA_MAX", _ARENA_MAX, os.cpu_count() or 1),
        ):
            if self._library.mallopt(number, value) == 1:
                made.append(f"mallopt({name}, {value})")
        self.set = tuple(made)

    def free_bytes(self) -> int | None:
        """Return ``fordblks`` of ``mallinfo2``."""
        return None if self._info is None else int(self._info().fordblks)

    def trim(self) -> bool:
        """Call ``malloc_trim(0)``, and see to what it leaves: the end of each arena but the main one."""
        self._library.malloc_trim(0)
        arenas = self._arenas()
        if self.set and arenas > 1:
            self._trim_ends(arenas)
        return True

    def _trim_ends(self, arenas: int) -> None:
        """Have the free end of each arena given back, up to 64 MB of each.

        That happens when something is freed in the arena while the threshold is low. A
        thread that begins takes an arena that no thread has, or else the next in turn,
        so twice as many threads as arenas come through all of them.
        """
        come = threading.Barrier(2 * arenas)

        def look() -> None:
            # All at once: an arena that is let go is the next thread's.
            with contextlib.suppress(threading.BrokenBarrierError):
                come.wait()
            self._library.free(self._library.malloc(_LOOKED_AT_BYTES))

        threads = [threading.Thread(target=look, daemon=True) for _ in range(2 * arenas)]
        self._library.mallopt(_TRIM_THRESHOLD, 0)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except RuntimeError:  # no more threads can be had: some ends stay
            come.abort()
        finally:
            self._library.mallopt(_TRIM_THRESHOLD, _EVERYTHING)

    def _arenas(self) -> int:
        """Return how many arenas there are, as ``malloc_info`` says; they never become fewer."""
        if self._counted_arenas < (os.cpu_count() or 1):
            self._counted_arenas = self._count_arenas()
        return self._counted_arenas

    def _count_arenas(self) -> int:
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._library.open_memstream.restype = ctypes.c_void_p
        stream = ctypes.c_void_p(self._library.open_memstream(ctypes.byref(text), ctypes.byref(size)))
        if not stream:
            return 1
        self._library.malloc_info(0, stream)
        self._library.fclose(stream)
        arenas = ctypes.string_at(text.value or 0, size.value).count(b"<heap ")
        self._library.free(text)
        return arenas


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
    return int(_process(os.getpid()).memory_info().rss)


@functools.cache
def _process(pid: int) -> psutil.Process:
    # Here: loading the extension is to stay quick.
    import psutil

    return psutil.Process(pid)
