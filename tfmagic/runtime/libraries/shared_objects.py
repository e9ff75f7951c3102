"""The shared objects of this process, as its loader lists them.

One class a platform: ``dl_iterate_phdr`` on Linux, the calls of ``dyld`` on macOS, and
elsewhere the mappings that psutil lists. Only Linux counts loads and unloads; elsewhere
the counters are None.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.runtime.libraries.elf import FileHeader

_CODE_FILE = re.compile(r"\.(?:so(?:\..*)?|dll|pyd|exe)$", re.IGNORECASE)


class SharedObject(NamedTuple):
    """One file that is mapped as code: the loader's path, and the load address if it is known."""

    path: str
    address: int | None


class CountersRecord(TypedDict):
    """The loader's own counters: how often the process has loaded and unloaded anything."""

    loads: int
    unloads: int


class SharedObjects:
    """The shared objects of this process; this class takes tens of milliseconds and works on every platform."""

    call = "psutil.Process.memory_maps"
    """The platform's call, for display."""

    def listed(self) -> list[SharedObject]:
        """Return the loaded objects, in the loader's order if it has one; here the mapped files with such a name."""
        return [SharedObject(file.path, None) for file in mapped_files() if _CODE_FILE.search(file.path)]

    def counters(self) -> CountersRecord | None:
        """Return the loader's own counters; None where it has none."""
        return None

    def mark(self) -> object:
        """Return a value that changes when something is loaded or unloaded; on most platforms it is cheap."""
        return tuple(self.listed())


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


# The first of its three parameters is enough.
_HEADER_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_HEADER_SIZE = ctypes.sizeof(_HeaderInfo)
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of fcntl.h
# Before 3.12 a garbage collection, and so arbitrary Python code, may begin wherever an object is created.
_COLLECTS_ANYWHERE = sys.version_info < (3, 12)


class LinuxSharedObjects(SharedObjects):
    """``dl_iterate_phdr`` of glibc and musl: a millisecond or three for all of TensorFlow, 3 µs for the counters."""

    # The loader holds a lock during callbacks. Another thread that imports an extension waits for that lock while it
    # holds the GIL, so whoever released the GIL here would never get it back. It is kept throughout, and the
    # callbacks are native, because Python code releases the GIL.

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
        # Return zero, whatever was written: continue.
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

    def counters(self) -> CountersRecord | None:
        """Return ``dlpi_adds`` and ``dlpi_subs``, which every record has."""
        info = _HeaderInfo()
        self._walk(partial(self._copy, ctypes.addressof(info)))
        # The program itself counts as loaded.
        return {"loads": info.adds, "unloads": info.subs} if info.adds else None

    def mark(self) -> object:
        """Return the counters; where the C library has none, the list itself."""
        return self.counters() or tuple(self._records())

    def listed(self) -> list[SharedObject]:
        """Return the files that ``dl_iterate_phdr`` lists."""
        objects: list[SharedObject] = []
        mapped: dict[int, str] | None = None
        for at, (address, name) in enumerate(self._records()):
            if at == 0 and not name:
                path = _program()
            elif name.startswith("/"):
                path = name
            elif "/" not in name:
                # linux-vdso.so.1 comes from the kernel and is no file.
                continue
            else:
                # Opened by a relative path, whose base may not be the current folder any more.
                if mapped is None:
                    parts = mapped_files(grouped=False)
                    mapped = {int(part.addr.partition("-")[0], 16): part.path for part in parts}
                path = mapped.get(address, os.path.abspath(name))  # noqa: PTH100 - links stay, as everywhere here
            if path:
                objects.append(SharedObject(path, address))
        return objects

    def _records(self) -> list[tuple[int, str]]:
        # Here: Windows imports this file and has no fcntl.
        import fcntl

        outlet, inlet = os.pipe()
        try:
            os.set_blocking(inlet, False)
            with suppress(OSError):
                fcntl.fcntl(inlet, _SET_PIPE_SIZE, _PIPE_BYTES)
            self._walk(partial(self._write, inlet))
        finally:
            os.close(inlet)
        with os.fdopen(outlet, "rb") as written:
            headers = written.read()
        infos = (_HeaderInfo * (len(headers) // _HEADER_SIZE)).from_buffer_copy(headers)
        # At once: a name is freed when its object is unloaded.
        names = list(map(attrgetter("name"), infos))
        return [(info.address, os.fsdecode(name or b"")) for info, name in zip(infos, names, strict=True)]


class MacSharedObjects(SharedObjects):
    """``dyld``'s list of images. It has no counters, but a count: an exchange of one image would not show."""

    call = "_dyld_get_image_name"

    def __init__(self) -> None:
        dyld = ctypes.CDLL(None)
        self._count, self._name = dyld._dyld_image_count, dyld._dyld_get_image_name  # noqa: SLF001 - dyld(3) calls them so
        self._header = dyld._dyld_get_image_header  # noqa: SLF001 - as above
        self._count.restype = ctypes.c_uint32
        self._name.argtypes, self._name.restype = [ctypes.c_uint32], ctypes.c_char_p
        self._header.argtypes, self._header.restype = [ctypes.c_uint32], ctypes.c_void_p

    def mark(self) -> object:
        """Return how many images there are."""
        return int(self._count())

    def listed(self) -> list[SharedObject]:
        """Return dyld's images."""
        names = ((self._name(at), self._header(at)) for at in range(self._count()))
        return [SharedObject(os.fsdecode(name), address) for name, address in names if name]


def _program() -> str:
    try:
        return os.readlink("/proc/self/exe").removesuffix(" (deleted)")  # noqa: PTH115 - the file may be gone
    except OSError:
        return sys.executable


def mapped_files(*, grouped: bool = True) -> list[Any]:
    """Return the mapped files that psutil lists, each once if `grouped`; none where it cannot tell."""
    # Imported here, so that the extension loads quickly.
    import psutil

    try:
        return psutil.Process().memory_maps(grouped=grouped)
    except (psutil.Error, AttributeError, NotImplementedError, OSError):
        return []


def shared_objects() -> SharedObjects:
    """Return this platform's `SharedObjects`."""
    return once("shared objects", _of_this_platform)


def _of_this_platform() -> SharedObjects:
    classes: dict[str, type[SharedObjects]] = {"linux": LinuxSharedObjects, "darwin": MacSharedObjects}
    try:
        return classes.get(sys.platform, SharedObjects)()
    except (AttributeError, OSError):  # a C library without the call
        return SharedObjects()


BASELINE = "there before tfmagic"
IMPORT = "import of tensorflow"
CUSTOM_OP = "custom op"
OTHER = "other"


@dataclass(frozen=True)
class LoadedObject:
    """A shared object, when it was first seen (in seconds since the epoch), and the phase in which it came.

    It is first seen at the end of that phase, or of the cell.
    """

    shared_object: SharedObject
    at_s: float
    phase: str

    @cached_property
    def header(self) -> FileHeader:
        """The header of its file, read once: another file may later come to the path."""
        from tfmagic.runtime.libraries.elf import file_header

        return file_header(self.shared_object.path)


@dataclass(frozen=True)
class FinishedPhase:
    """A phase that is over, with the loader's counters before and after it."""

    name: str
    began_s: float
    ended_s: float
    before: CountersRecord | None
    after: CountersRecord | None
