"""Custom op libraries: each is loaded once, and probed in another process first.

TensorFlow silently accepts a second library that registers the same kernels, and from then
on fails every new kernel of that operation ("Multiple OpKernel registrations match") until
the process ends. A library's file does not list what it registers, so a separate process
loads it and reports: half a second, and nothing it does can reach this process.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from tfmagic.core.process import once
from tfmagic.errors import OpLibraryError
from tfmagic.runtime.libraries.elf import SHARED_OBJECT, NoElfError, is_mapped, read_elf
from tfmagic.runtime.libraries.shared_objects import CUSTOM_OP
from tfmagic.runtime.libraries.timeline import libraries

if TYPE_CHECKING:
    from tfmagic.runtime.custom_ops.registrations import OpRecord, Registrations
    from tfmagic.runtime.libraries.files import DuplicateRecord, LoadedFile


class OpLibraryRecord(TypedDict):
    """A custom op library.

    Attributes
    ----------
    at_s
        When it was loaded, or first seen loaded, in seconds since the epoch.
    through
        ``tfmagic``, or ``tf.load_op_library`` if the user's code loaded it.
    ops
        The operations that it registered.
    kernels_for
        Operations of other libraries that it registered kernels for.
    """

    path: str
    at_s: float
    through: str
    ops: list[OpRecord]
    kernels_for: list[str]


class OpLibrary(NamedTuple):
    """A loaded custom op library; `functions` is what ``tf.load_op_library`` returned to tfmagic."""

    record: OpLibraryRecord
    functions: Any = None

    def names(self) -> list[str]:
        """Return the names of the operations that it registered."""
        return [operation["name"] for operation in self.record["ops"]]


class OpLibraries:
    """The custom op libraries of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[str, OpLibrary] = {}
        # For how many loaded op libraries the duplicates were looked up, and the result.
        self._duplicates: tuple[int, list[DuplicateRecord]] = (0, [])

    def load(self, path: str | os.PathLike[str]) -> tuple[OpLibrary, bool]:
        """Load a custom op library if it is not loaded yet; return it, and whether it was loaded now.

        `OpLibraryError`, and nothing of it is loaded, if the path has no library for this machine and TensorFlow, if
        it is a copy of a loaded library, or if it registers what another library has registered.
        """
        from tfmagic.runtime.custom_ops.registrations import probe, refuse_collisions
        from tfmagic.runtime.startup.importing import require_tensorflow

        file = _checked(path)
        require_tensorflow()
        with self._lock:
            loaded = self._already_loaded(file)
            if loaded is not None:
                return loaded, False
            registrations = probe(file, _tensorflow_libraries())
            refuse_collisions(file, registrations, self._owner_of)
            import tensorflow as tf

            with libraries().phase(f"{CUSTOM_OP} {Path(file).name}"):
                try:
                    functions = tf.load_op_library(file)
                except (tf.errors.OpError, RuntimeError) as error:
                    msg = f"{file} cannot be loaded: {str(error).splitlines()[0]}"
                    raise OpLibraryError(msg) from error
            return self._add(file, time.time(), "tfmagic", registrations, functions), True

    def _add(
        self, file: str, at_s: float, through: str, registrations: Registrations, functions: Any = None
    ) -> OpLibrary:
        record: OpLibraryRecord = {
            "path": file,
            "at_s": at_s,
            "through": through,
            "ops": registrations.records(),
            "kernels_for": registrations.kernels_for(),
        }
        library = self._known[os.path.realpath(file)] = OpLibrary(record, functions)
        return library

    def records(self) -> list[OpLibraryRecord]:
        """Return the libraries whose operations tfmagic knows."""
        return [library.record for library in list(self._known.values())]

    def duplicates(self) -> list[DuplicateRecord]:
        """Return kernels that are registered twice, which code that calls TensorFlow directly can cause."""
        loaded = _op_files()
        if len(loaded) < 2:
            return []
        if self._duplicates[0] != len(loaded):
            from tfmagic.runtime.custom_ops.registrations import registered_twice

            self._duplicates = (len(loaded), registered_twice([file.path for file in loaded]))
        return self._duplicates[1]

    def _already_loaded(self, file: str) -> OpLibrary | None:
        """Return the loaded library of a file; `OpLibraryError` if the file has changed, or is a copy of another."""
        real = os.path.realpath(file)
        for loaded in libraries().files():
            if loaded.path == real or _is_same_file(loaded.path, real):
                if is_mapped(real, loaded.loaded.shared_object.address) is False:
                    msg = (
                        f"{file} has changed since it was loaded, and a process keeps the build that it has: "
                        "restart the kernel to use this one"
                    )
                    raise OpLibraryError(msg)
                return self._known.get(real) or self._loaded_by_user(file, loaded)
        for loaded in _op_files():
            if is_mapped(real, loaded.loaded.shared_object.address):
                known = self._known.get(loaded.path)
                names = f" ({', '.join(known.names())})" if known else ""
                msg = (
                    f"{file} is a copy of {loaded.path}, which is loaded: its operations{names} are "
                    "there already, and loading the copy would break them until the kernel is restarted; use those"
                )
                raise OpLibraryError(msg)
        return None

    def _loaded_by_user(self, file: str, loaded: LoadedFile) -> OpLibrary:
        from tfmagic.runtime.custom_ops.registrations import probe

        if not loaded.uses_tensorflow:
            msg = f"{file} is loaded already, and is no library of operations: it does not use TensorFlow"
            raise OpLibraryError(msg)
        registrations = probe(file, _tensorflow_libraries())
        return self._add(file, loaded.loaded.at_s, "tf.load_op_library", registrations)

    def _owner_of(self, operation: str) -> str:
        """Return the path of the library that registered an operation, for messages."""
        from tfmagic.runtime.custom_ops.registrations import mentions

        for library in self._known.values():
            if operation in library.names():
                return library.record["path"]
        return next((file.path for file in _op_files() if mentions(file.path, operation)), "TensorFlow")


def op_libraries() -> OpLibraries:
    """Return the process's custom op libraries."""
    return once("op libraries", OpLibraries)


def _op_files() -> list[LoadedFile]:
    return [file for file in libraries().files() if file.uses_tensorflow and not file.of_tensorflow]


def _tensorflow_libraries() -> list[str]:
    """Return TensorFlow's own libraries, first the one that the others need."""
    paths = [file.path for file in libraries().files() if file.of_tensorflow]
    return [
        path
        for name in ("libtensorflow_framework.", "libtensorflow_cc.")
        for path in paths
        if Path(path).name.startswith(name)
    ]


def _is_same_file(path: str, other: str) -> bool:
    with suppress(OSError):
        return Path(path).samefile(other)
    return False


def _checked(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a shared object for this machine.

    Absolute, because TensorFlow remembers libraries by the path's text: ``./x.so`` stays the first file of that
    name, even in another folder.
    """
    text = os.fspath(path)
    file = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - links stay, as they were typed
    if not text or not file.exists():
        msg = f"there is no file {text!r}"
        raise OpLibraryError(msg)
    if not file.is_file():
        msg = f"{text} is {'a folder' if file.is_dir() else 'no file'}, expected a shared object (.so)"
        raise OpLibraryError(msg)
    if sys.platform == "linux":
        _check_header(text, str(file))
    return str(file)


def _check_header(text: str, file: str) -> None:
    try:
        elf = read_elf(file)
    except NoElfError as error:
        msg = f"{text} is no shared object: it does not begin as one, or is cut short"
        raise OpLibraryError(msg) from error
    except OSError as error:
        msg = f"{text} cannot be read: {error.strerror}"
        raise OpLibraryError(msg) from error
    own = read_elf(os.path.realpath(sys.executable)).machine
    if elf.machine != own:
        msg = f"{text} was built for {elf.machine}, this process is {own}: build it here"
        raise OpLibraryError(msg)
    if elf.kind != SHARED_OBJECT:
        msg = f"{text} is an object file or a program, no shared object: link it with g++ -shared"
        raise OpLibraryError(msg)
