"""The shared objects of this process, as its loader knows them.

One way of looking a platform: ``dl_iterate_phdr`` on Linux, the calls of ``dyld`` on
macOS, ``K32EnumProcessModules`` on Windows, and elsewhere what psutil sees mapped. Only
the first has counters of what was ever loaded and unloaded; where there are none, they
are None.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_MAPS = "/proc/self/maps"
_DELETED = " (deleted)"
# MAX_PATH is no limit any more; this is the longest that Windows gives.
_WINDOWS_PATH = 32768


class SharedObject(NamedTuple):
    """One file that is mapped as code.

    Attributes
    ----------
    path
        Its path, as the loader knows it.
    address
        Where it was loaded: what its own addresses are counted from. None where that
        is not known.
    """

    path: str
    address: int | None


class Counters(NamedTuple):
    """How often this process has loaded and unloaded a shared object since it began."""

    loads: int
    unloads: int


class SharedObjects(ABC):
    """One platform's way of looking at the shared objects of this process."""

    call: ClassVar[str]
    """The platform's call, for what is said of it."""

    @abstractmethod
    def listed(self) -> list[SharedObject]:
        """Return what is loaded now, the program itself included, in the loader's order."""

    def counters(self) -> Counters | None:
        """Return the loader's own counters; None where it has none."""
        return None

    def mark(self) -> object:
        """Return what is another once something was loaded or unloaded: the cheap question before `listed`.

        Without counters it is how many there are: one that came and one that went in
        its place would not show.
        """
        return self.counters()


class _HeaderInfo(ctypes.Structure):
    """``struct dl_phdr_info`` of link.h."""

    _fields_: ClassVar[Any] = [
        ("address", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("header_count", ctypes.c_uint16),
        ("adds", ctypes.c_ulonglong),
        ("subs", ctypes.c_ulonglong),
    ]


# Of its three parameters the first is enough.
_HEADER_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_HEADER_SIZE = ctypes.sizeof(_HeaderInfo)
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of fcntl.h
# Before 3.12 a collection, and with it anybody's Python, may begin wherever an object is made.
_COLLECTS_ANYWHERE = sys.version_info < (3, 12)


class LinuxSharedObjects(SharedObjects):
    """``dl_iterate_phdr`` of glibc and musl: a millisecond or three for all of TensorFlow, 3 µs for the counters."""

    # The loader holds a lock while it calls back. Another thread that imports an extension waits for that lock with
    # Python's own in its hand, so whoever gives Python's away here never gets it again: it is kept throughout, and
    # what is called is native, for Python code gives it away by itself.

    call = "dl_iterate_phdr"

    def __init__(self) -> None:
        own = ctypes.PyDLL(None)
        self._iterate = own.dl_iterate_phdr
        self._iterate.argtypes = [_HEADER_CALLBACK, ctypes.c_void_p]
        size = (1, "size", _HEADER_SIZE)
        self._copy = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
            ("memmove", own), ((1, "to"), (1, "from"), size)
        )
        self._write = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)(
            ("write", own), ((1, "to"), (1, "from"), size)
        )
        # Zero, whatever was written: go on.
        self._write.restype = (0).__and__

    def _walk(self, native: Callable[[int], int]) -> None:
        callback, collects = _HEADER_CALLBACK(native), _COLLECTS_ANYWHERE and gc.isenabled()
        if collects:
            gc.disable()
        try:
            self._iterate(callback, None)
        finally:
            if collects:
                gc.enable()

    def counters(self) -> Counters | None:
        """Return ``dlpi_adds`` and ``dlpi_subs``, which every record carries."""
        info = _HeaderInfo()
        self._walk(partial(self._copy, ctypes.addressof(info)))
        # The program itself is one that was loaded.
        return Counters(info.adds, info.subs) if info.adds else None

    def mark(self) -> object:
        """Return the counters; where the C library has none, the list itself."""
        return self.counters() or tuple(self._records())

    def listed(self) -> list[SharedObject]:
        """Return what ``dl_iterate_phdr`` shows, less what is no file."""
        found: list[SharedObject] = []
        mapped: dict[int, str] | None = None
        for at, (address, name) in enumerate(self._records()):
            if at == 0 and not name:
                path = _target("/proc/self/exe")
            elif name.startswith("/"):
                path = name
            elif "/" not in name:
                # linux-vdso.so.1, which the kernel maps, is no file.
                continue
            else:
                # Opened by a relative path: relative to a folder that may not be the present one any more.
                mapped = _mapped_files() if mapped is None else mapped
                path = mapped.get(address, os.path.abspath(name))  # noqa: PTH100 - links stay, as everywhere here
            if path:
                found.append(SharedObject(path, address))
        return found

    def _records(self) -> list[tuple[int, str]]:
        # Not everywhere where this file is imported.
        import fcntl

        come, go = os.pipe()
        try:
            os.set_blocking(go, False)
            with suppress(OSError):
                fcntl.fcntl(go, _SET_PIPE_SIZE, _PIPE_BYTES)
            self._walk(partial(self._write, go))
        finally:
            os.close(go)
        with os.fdopen(come, "rb") as written:
            headers = written.read()
        infos = (_HeaderInfo * (len(headers) // _HEADER_SIZE)).from_buffer_copy(headers)
        # At once: the names go with what is unloaded.
        names = list(map(attrgetter("name"), infos))
        return [(info.address, os.fsdecode(name or b"")) for info, name in zip(infos, names, strict=True)]


class MacSharedObjects(SharedObjects):
    """``dyld``'s list of images. It has no counters; how many there are is known."""

    call = "_dyld_get_image_name"

    def __init__(self) -> None:
        dyld = ctypes.CDLL(None)
        self._count, self._name = dyld._dyld_image_count, dyld._dyld_get_image_name  # noqa: SLF001 - dyld(3) calls them so
        self._header = dyld._dyld_get_image_header  # noqa: SLF001 - as above
        self._count.restype = ctypes.c_uint32
        self._name.argtypes, self._name.restype = [ctypes.c_uint32], ctypes.c_char_p
        self._header.argtypes, self._header.restype = [ctypes.c_uint32], ctypes.c_void_p

    def mark(self) -> object:
        """Return how many there are."""
        return int(self._count())

    def listed(self) -> list[SharedObject]:
        """Return dyld's images."""
        names = ((self._name(at), self._header(at)) for at in range(self._count()))
        return [SharedObject(os.fsdecode(name), address) for name, address in names if name]


class WindowsSharedObjects(SharedObjects):
    """The modules that ``psapi.h`` lists. It has no counters; which ones there are is known."""

    call = "K32EnumProcessModules"

    def __init__(self) -> None:
        # By getattr: the ctypes of other platforms has no such name.
        self._kernel: Any = getattr(ctypes, "WinDLL")("kernel32")  # noqa: B009
        handles = ctypes.POINTER(ctypes.c_void_p)
        self._kernel.GetCurrentProcess.restype = ctypes.c_void_p
        self._kernel.K32EnumProcessModules.argtypes = [
            ctypes.c_void_p, handles, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32),
        ]  # fmt: skip
        self._kernel.GetModuleFileNameW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]

    def mark(self) -> object:
        """Return where each of them is."""
        return tuple(self._handles())

    def listed(self) -> list[SharedObject]:
        """Return the process's modules."""
        text = ctypes.create_unicode_buffer(_WINDOWS_PATH)
        # One may have gone in between.
        return [
            SharedObject(text.value, handle)
            for handle in self._handles()
            if self._kernel.GetModuleFileNameW(handle, text, _WINDOWS_PATH)
        ]

    def _handles(self) -> list[int]:
        room = 1024
        while True:
            handles, needed = (ctypes.c_void_p * room)(), ctypes.c_uint32()
            size = ctypes.sizeof(handles)
            if not self._kernel.K32EnumProcessModules(
                self._kernel.GetCurrentProcess(), handles, size, ctypes.byref(needed)
            ):
                return []
            if needed.value <= size:
                return [one for one in handles[: needed.value // ctypes.sizeof(ctypes.c_void_p)] if one]
            room *= 2


class MappedSharedObjects(SharedObjects):
    """What psutil sees mapped, for every other platform; tens of milliseconds a look."""

    call = "psutil.Process.memory_maps"

    def mark(self) -> object:
        """Return the list: there is nothing cheaper."""
        return tuple(self.listed())

    def listed(self) -> list[SharedObject]:
        """Return the mapped files that are named as shared objects are."""
        import psutil

        try:
            mapped = psutil.Process().memory_maps(grouped=True)
        except (psutil.Error, AttributeError, NotImplementedError):
            return []
        return [SharedObject(one.path, None) for one in mapped if one.path.endswith(".so") or ".so." in one.path]


def _target(link: str) -> str:
    try:
        return os.readlink(link).removesuffix(_DELETED)  # noqa: PTH115 - a text, of a file that may have gone
    except OSError:
        return sys.executable


def _mapped_files() -> dict[int, str]:
    """Return which file each mapping begins with, by address."""
    return {address: path for address, path, _ in mappings()}


def mappings() -> Iterator[tuple[int, str, int]]:
    """Give address, path and inode of what ``/proc/self/maps`` has of files; of a deleted one the path it had."""
    try:
        with open(_MAPS, encoding="utf-8", errors="surrogateescape") as lines:  # noqa: PTH123 - no file
            for line in lines:
                parts = line.rstrip("\n").split(None, 5)
                if len(parts) == 6 and parts[5].startswith("/"):
                    yield int(parts[0].partition("-")[0], 16), parts[5].removesuffix(_DELETED), int(parts[4])
    except OSError:
        return


def shared_objects() -> SharedObjects:
    """Return this platform's way of looking at the process's shared objects."""
    return once("shared objects", _of_this_platform)


def _of_this_platform() -> SharedObjects:
    ways: dict[str, type[SharedObjects]] = {
        "linux": LinuxSharedObjects,
        "darwin": MacSharedObjects,
        "win32": WindowsSharedObjects,
    }
    try:
        return ways.get(sys.platform, MappedSharedObjects)()
    except (AttributeError, OSError):  # a C library without the call
        return MappedSharedObjects()


BASELINE = "there before tfmagic"
IMPORT = "import of tensorflow"
CUSTOM_OP = "custom op"
OTHER = "other"


@dataclass(frozen=True)
class Arrival:
    """A shared object, and when it was first seen.

    Attributes
    ----------
    shared_object
        What came.
    at_s
        When it was seen first, in seconds since the epoch: at the end of the occasion
        or cell in which it came.
    occasion
        What was going on.
    """

    shared_object: SharedObject
    at_s: float
    occasion: str


@dataclass(frozen=True)
class Passed:
    """An occasion that is over, with the loader's counters on both sides of it."""

    what: str
    began_s: float
    ended_s: float
    before: Counters | None
    after: Counters | None
