"""The process's malloc: how much it holds free, and how to give that back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import sys
import threading
from typing import TYPE_CHECKING, Any

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil

# Numbers of malloc.h. The largest int keeps every buffer in the heap.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
_EVERYTHING = 2**31 - 1
# Above FASTBIN_CONSOLIDATION_THRESHOLD of malloc.c: freeing this much makes malloc look at the arena's end.
_CONSOLIDATING_BYTES = 1 << 17


class Malloc:
    """A malloc; this class stands for one without a known call to give memory back."""

    name = "other"

    def __init__(self, library: Any = None) -> None:
        self._library = library
        # The settings that tfmagic has made in it, written as in C.
        self.settings: tuple[str, ...] = ()
        self._rss_after_trim: int | None = None
        self._returned_bytes = 0
        self._trimming = threading.Lock()

    def keep_buffers(self) -> None:
        """Keep large buffers in the process between runs, so that no run has to map them again."""

    def free_bytes(self) -> int | None:
        """Return how much is free, trimmed pages included; None where malloc does not say."""
        return None

    def held_free_bytes(self) -> int | None:
        """Return an estimate of how much is free and not given back; None where malloc does not say.

        malloc counts trimmed memory as free. It stays given back until it is used again; then free memory
        becomes less by as much.
        """
        free = self.free_bytes()
        return None if free is None else self._held_of(free)

    def _held_of(self, free_bytes: int) -> int:
        self._returned_bytes = min(self._returned_bytes, free_bytes)
        return free_bytes - self._returned_bytes

    def trim(self) -> bool:
        """Give every free page back to the system; return whether there was a call for it."""
        return False

    def trim_over(self, threshold_bytes: int) -> bool:
        """Trim if more than the threshold is free and resident; return whether that was done.

        Pages may have been used and freed again since the last check. The process has then grown since the last
        trim, which is also a reason to trim.
        """
        # Once: malloc goes through all free pieces, which can be a hundred thousand.
        free = self.free_bytes()
        if free is None:
            return False
        held = self._held_of(free)
        if free <= threshold_bytes:
            return False
        grown = self._rss_after_trim is None or rss_bytes() >= self._rss_after_trim + threshold_bytes // 2
        return self.trim_now() if held > threshold_bytes or grown else False

    def trim_now(self) -> bool:
        """Trim, and return whether there was a call for it."""
        with self._trimming:
            done = self.trim()
            self._rss_after_trim = rss_bytes()
            self._returned_bytes = self.free_bytes() or 0
        return done


class _Mallinfo2(ctypes.Structure):
    """``struct mallinfo2`` of malloc.h."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()  # noqa: SIM905 - as in the header
    )


class GlibcMalloc(Malloc):
    """The malloc of the GNU C library."""

    name = "glibc"

    def __init__(self, library: ctypes.CDLL) -> None:
        super().__init__(library)
        self._known_arenas = 0
        library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        library.free.argtypes, library.free.restype = [ctypes.c_void_p], None
        # Since glibc 2.33.
        self._info: Callable[[], _Mallinfo2] | None = getattr(library, "mallinfo2", None)
        if self._info is not None:
            library.mallinfo2.restype = _Mallinfo2

    def keep_buffers(self) -> None:
        """Raise the sizes above which glibc maps buffers separately and gives memory back automatically.

        Threads then share as many arenas as there are processors. Each arena can keep 64 MB at its end, which
        `trim` has to free separately, and glibc would make eight times as many arenas.
        """
        options = (
            ("M_MMAP_THRESHOLD", _MMAP_THRESHOLD, _EVERYTHING),
            ("M_TRIM_THRESHOLD", _TRIM_THRESHOLD, _EVERYTHING),
            ("M_ARENA_MAX", _ARENA_MAX, os.cpu_count() or 1),
        )
        self.settings = tuple(
            f"mallopt({name}, {value})" for name, number, value in options if self._library.mallopt(number, value) == 1
        )

    def free_bytes(self) -> int | None:
        """Return ``fordblks`` of ``mallinfo2``."""
        return None if self._info is None else int(self._info().fordblks)

    def trim(self) -> bool:
        """Call ``malloc_trim(0)``, then free what it leaves: the end of each arena but the main one."""
        self._library.malloc_trim(0)
        arenas = self._arena_count()
        if self.settings and arenas > 1:
            self._trim_ends(arenas)
        return True

    def _trim_ends(self, arenas: int) -> None:
        """Give back the free end of each arena, up to 64 MB of each.

        glibc does that when something is freed in the arena while the threshold is low. A new thread takes an
        unused arena, or else the next in turn, so twice as many threads as arenas reach every arena.
        """
        all_started = threading.Barrier(2 * arenas)

        def allocate_and_free() -> None:
            # All at once: the next thread would take the arena of a thread that has ended.
            with contextlib.suppress(threading.BrokenBarrierError):
                all_started.wait()
            self._library.free(self._library.malloc(_CONSOLIDATING_BYTES))

        threads = [threading.Thread(target=allocate_and_free, daemon=True) for _ in range(2 * arenas)]
        self._library.mallopt(_TRIM_THRESHOLD, 0)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except RuntimeError:  # the system gives no more threads: some ends stay
            all_started.abort()
        finally:
            self._library.mallopt(_TRIM_THRESHOLD, _EVERYTHING)

    def _arena_count(self) -> int:
        """Return how many arenas ``malloc_info`` lists; their number never falls."""
        if self._known_arenas < (os.cpu_count() or 1):
            text, size = ctypes.c_void_p(), ctypes.c_size_t()
            self._library.open_memstream.restype = ctypes.c_void_p
            stream = ctypes.c_void_p(self._library.open_memstream(ctypes.byref(text), ctypes.byref(size)))
            if not stream:
                return 1
            self._library.malloc_info(0, stream)
            self._library.fclose(stream)
            self._known_arenas = ctypes.string_at(text.value or 0, size.value).count(b"<heap ")
            self._library.free(text)
        return self._known_arenas


class MacMalloc(Malloc):
    """The zones of macOS: they keep less free memory, and do not say how much."""

    name = "macOS"

    def trim(self) -> bool:
        """Call ``malloc_zone_pressure_relief`` for every zone."""
        relieve = self._library.malloc_zone_pressure_relief
        relieve.argtypes, relieve.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_size_t
        relieve(None, 0)
        return True


def _detect() -> Malloc:
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return MacMalloc(library)
        # By LD_PRELOAD: jemalloc, tcmalloc or mimalloc.
        replacing = ("mallctl", "MallocExtension_GetNumericProperty", "mi_malloc")
        if platform.libc_ver()[0] == "glibc" and not any(hasattr(library, name) for name in replacing):
            return GlibcMalloc(library)
    except (OSError, TypeError, AttributeError):  # Windows has no library None
        pass
    return Malloc()


def malloc() -> Malloc:
    """Return the process's malloc."""
    return once("malloc", _detect)


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    return int(_process(os.getpid()).memory_info().rss)


@functools.cache
def _process(pid: int) -> psutil.Process:
    # Imported here, so that the extension loads quickly.
    import psutil

    return psutil.Process(pid)
