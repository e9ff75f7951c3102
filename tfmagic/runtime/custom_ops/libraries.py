"""Custom op libraries: each loaded once, and tried in another process first.

TensorFlow takes a second library that registers the same kernels without a word, and
from then on fails every new kernel of that operation ("Multiple OpKernel registrations
match"), until the process ends. What a library registers stands nowhere in its file,
so a process of its own loads it and tells: half a second, and nothing it does can
reach this one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.core.process import once
from tfmagic.errors import OpLibraryError
from tfmagic.runtime.libraries.elf import SHARED_OBJECT, NoElfError, read_elf
from tfmagic.runtime.libraries.mapped_image import is_mapped
from tfmagic.runtime.libraries.shared_objects import CUSTOM_OP
from tfmagic.runtime.libraries.timeline import libraries

if TYPE_CHECKING:
    from tfmagic.runtime.custom_ops.registrations import OpRecord, Registrations
    from tfmagic.runtime.libraries.duplicates import DuplicateRecord
    from tfmagic.runtime.libraries.files import LoadedFile


class OpLibraryRecord(TypedDict):
    """A custom op library.

    Attributes
    ----------
    path
        The file.
    at_s
        When it was loaded, or first seen loaded, in seconds since the epoch.
    through
        ``tfmagic``, or ``tf.load_op_library`` where the person's code loaded it.
    ops
        The operations that it registered.
    kernels_for
        Operations of others that it registered kernels for.
    """

    path: str
    at_s: float
    through: str
    ops: list[OpRecord]
    kernels_for: list[str]


@dataclass
class OpLibrary:
    """A custom op library that is loaded.

    Attributes
    ----------
    path
        The file.
    functions
        The module of Python functions that ``tf.load_op_library`` gave; None where the
        person's code loaded the library and has that module.
    """

    path: str
    at_s: float
    through: str
    registrations: Registrations
    functions: Any = None

    def record(self) -> OpLibraryRecord:
        """Return it as plain data."""
        return {
            "path": self.path,
            "at_s": self.at_s,
            "through": self.through,
            "ops": self.registrations.records(),
            "kernels_for": self.registrations.of_others(),
        }


class OpLibraries:
    """The custom op libraries of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[str, OpLibrary] = {}
        self._twice: tuple[int, list[DuplicateRecord]] = (0, [])

    def load(self, path: str | os.PathLike[str]) -> tuple[OpLibrary, bool]:
        """Load a custom op library, unless it is loaded.

        Parameters
        ----------
        path
            The shared object.

        Returns
        -------
        OpLibrary
            The library.
        bool
            Whether it was loaded now.

        Raises
        ------
        OpLibraryError
            When there is no library of this machine's at the path, when it was built
            for another TensorFlow, when it is a copy of one that is loaded, or when it
            registers again what another library has registered. Nothing of it is
            loaded then.
        """
        from tfmagic.runtime.custom_ops.registrations import check, tried
        from tfmagic.runtime.startup.importing import require_tensorflow

        file = _checked(path)
        require_tensorflow()
        with self._lock:
            there = self._where_loaded(file)
            if there is not None:
                return there, False
            registrations = tried(file, _tensorflow_libraries())
            check(file, registrations, self._whose)
            import tensorflow as tf

            with libraries().phase(f"{CUSTOM_OP} {Path(file).name}"):
                try:
                    functions = tf.load_op_library(file)
                except (tf.errors.OpError, RuntimeError) as error:
                    msg = f"{file} cannot be loaded: {str(error).splitlines()[0]}"
                    raise OpLibraryError(msg) from error
            library = OpLibrary(file, time.time(), "tfmagic", registrations, functions)
            self._known[os.path.realpath(file)] = library
            return library, True

    def records(self) -> list[OpLibraryRecord]:
        """Return the libraries that tfmagic knows the operations of."""
        return [one.record() for one in list(self._known.values())]

    def duplicates(self) -> list[DuplicateRecord]:
        """Return the kernels that are registered twice: code that called TensorFlow itself can have done it."""
        loaded = _op_files()
        if len(loaded) < 2:
            return []
        if self._twice[0] != len(loaded):
            from tfmagic.runtime.custom_ops.registrations import registered_twice

            self._twice = (len(loaded), registered_twice([one.path for one in loaded]))
        return self._twice[1]

    def _where_loaded(self, file: str) -> OpLibrary | None:
        """Return the library that a file is, where it is loaded.

        Raises
        ------
        OpLibraryError
            When the file has changed since, or is a copy of one that is loaded.
        """
        real = os.path.realpath(file)
        for one in _loaded_files():
            if one.path == real or _is_same_file(one.path, real):
                if is_mapped(real, one.arrival.shared_object.address) is False:
                    msg = (
                        f"{file} has changed since it was loaded, and a process keeps the build that it has: "
                        "restart the kernel to use this one"
                    )
                    raise OpLibraryError(msg)
                return self._known.get(real) or self._of_the_person(file, one)
        for one in _op_files():
            if is_mapped(real, one.arrival.shared_object.address):
                known = self._known.get(one.path)
                ops = ", ".join(known.registrations.names()) if known else ""
                msg = (
                    f"{file} is a copy of {one.path}, which is loaded: its operations{f' ({ops})' if ops else ''} are "
                    "there already, and loading the copy would break them until the kernel is restarted; use those"
                )
                raise OpLibraryError(msg)
        return None

    def _of_the_person(self, file: str, loaded: LoadedFile) -> OpLibrary:
        from tfmagic.runtime.custom_ops.registrations import tried

        if not loaded.uses_tensorflow:
            msg = f"{file} is loaded already, and is no library of operations: it does not use TensorFlow"
            raise OpLibraryError(msg)
        registrations = tried(file, _tensorflow_libraries())
        library = OpLibrary(file, loaded.arrival.at_s, "tf.load_op_library", registrations)
        self._known[loaded.path] = library
        return library

    def _whose(self, operation: str) -> str:
        """Return the path of the library that an operation came with, for what is said of it."""
        for one in self._known.values():
            if operation in one.registrations.names():
                return one.path
        for file in _op_files():
            try:
                with open(file.path, "rb") as data:  # noqa: PTH123 - as everywhere here
                    if operation.encode() in data.read():
                        return file.path
            except OSError:
                continue
        return "TensorFlow"


def op_libraries() -> OpLibraries:
    """Return the process's custom op libraries."""
    return once("op libraries", OpLibraries)


def _loaded_files() -> list[LoadedFile]:
    return libraries().catalog.files(libraries().present())


def _op_files() -> list[LoadedFile]:
    return [one for one in _loaded_files() if one.uses_tensorflow and not one.of_tensorflow]


def _tensorflow_libraries() -> list[str]:
    """Return TensorFlow's own libraries, the one that the others need first."""
    paths = [one.path for one in _loaded_files() if one.of_tensorflow]
    return [
        path
        for name in ("libtensorflow_framework.", "libtensorflow_cc.")
        for path in paths
        if Path(path).name.startswith(name)
    ]


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _checked(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a shared object of this machine's.

    Absolute, because TensorFlow takes what stands at ``./x.so`` for what stood there
    when it was first asked for that text, whatever folder it is in by then.
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
