"""Every kind of source, in the order in which they are asked. A new kind is one file, and one line here.

This module imports neither the kinds nor TensorFlow: Tab and ``%load_ext`` read the suffixes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tfmagic.formats.common.source import FileSource
    from tfmagic.formats.common.written import ModelToWrite, Writer
    from tfmagic.formats.live.base import LiveSource


@dataclass(frozen=True)
class FileKind:
    """A kind of file or folder, with its classes as ``module:Class`` inside this package.

    ``suffixes`` are those that it reads. ``save_suffix`` is the one that ``save`` takes for it, ``""`` for a folder;
    a kind without a ``writer`` cannot be saved.
    """

    source: str
    suffixes: tuple[str, ...] = ()
    save_suffix: str = ""
    writer: str | None = None

    def takes(self, path: Path) -> bool:
        """Return whether what is at a path is of this kind."""
        return (path.suffix in self.suffixes and path.is_file()) or self.source_class().takes(path)

    def source_class(self) -> type[FileSource]:
        """Return the class that inspects and reads it."""
        kind: type[FileSource] = _loaded(self.source)
        return kind

    def writer_class(self) -> Callable[[ModelToWrite], Writer]:
        """Return the class that writes it, or the function that chooses the class."""
        make: Callable[[ModelToWrite], Writer] = _loaded(str(self.writer))
        return make


FILES = (
    FileKind("checkpoint.read:CheckpointSource", (".meta",)),
    FileKind("saved_model.read:SavedModelSource", writer="live.write:folder_writer"),
    FileKind("frozen.read:FrozenSource", (".pb", ".pbtxt"), ".pb", "frozen.write:FrozenFile"),
    FileKind("keras.read:KerasFileSource", (".keras", ".h5", ".hdf5"), ".keras", "keras.write:KerasFile"),
)
"""Files and folders. The first kind that takes a path reads it."""

OBJECTS = (
    "live.graph:GraphSource",
    "frozen.read:GraphDefSource",
    "keras.live_model:KerasSource",
    "live.function:FunctionSource",
    "live.module:ModuleSource",
)
"""Live objects. The first kind that takes an object shares or copies it."""


def object_kinds() -> list[type[LiveSource]]:
    """Return the classes that take live objects."""
    return [_loaded(kind) for kind in OBJECTS]


def suffixes() -> tuple[str, ...]:
    """Return how the names of files end that hold a model."""
    return tuple(suffix for kind in FILES for suffix in kind.suffixes)


def _loaded(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"tfmagic.formats.{module}"), attribute)
