"""Every kind of source, in the order in which they are asked, and the source for a path or an object.

A new kind is one file, and one line here.

This module imports neither the kinds nor TensorFlow: Tab and ``%load_ext`` read the suffixes only.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import absolute_path, existing_path, local_path, looking_at
from tfmagic.core.regular_files import regular_file
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tfmagic.formats.common.source import FileRecord, FileSource, Source
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
        return (path.suffix in self.suffixes and path.exists() and not path.is_dir()) or self.source_class().takes(path)

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


def suffixes() -> tuple[str, ...]:
    """Return how the names of files end that hold a model."""
    return tuple(suffix for kind in FILES for suffix in kind.suffixes)


def _loaded(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"tfmagic.formats.{module}"), attribute)


def source_of(source: Any, text: str | None = None) -> Source:
    """Return the source for a path or a live object; `text` is what the person typed for it."""
    if isinstance(source, (str, os.PathLike)):
        return _source_of_path(source, text)
    return source_of_object(source, text or f"an object of {type(source).__name__}")


def check_path(source: Any) -> None:
    """Raise the error for a path at which there is no file, folder or checkpoint; it takes no TensorFlow to say so."""
    if not isinstance(source, (str, os.PathLike)):
        return
    path: Path = absolute_path(local_path(str(os.fspath(source))))
    parts = [path]
    with looking_at(path):
        if not path.exists():
            # A checkpoint is named by what its files' names begin with; those of the first format may be shards.
            parts = [path.with_name(f"{path.name}{ending}") for ending in (".meta", ".index")]
            parts += path.parent.glob(f"{glob.escape(path.name)}-?????-of-?????")
        if not any(part.exists() for part in parts):
            existing_path(path)
        for part in parts:
            if part.exists() and not part.is_dir():
                regular_file(part)


def inspect_path(path: Any) -> FileRecord:
    """Return what a file or folder holds, without loading it."""
    if isinstance(path, (str, os.PathLike)):
        return _source_of_path(path, None).inspect()
    msg = f"{path!r} is no path: %tf_model show takes a model's name or a path"
    raise SourceError(msg)


def _source_of_path(typed: str | os.PathLike[str], text: str | None) -> FileSource:
    shown = str(os.fspath(typed))
    # Absolute, so that the model can be read again after a change of directory.
    path: Path = absolute_path(local_path(shown))
    with looking_at(path):
        for kind in FILES:
            if kind.takes(path):
                return kind.source_class()(path, text or shown)
        existing_path(path)
    from tfmagic.formats.common.wrong_file import what_it_is

    named = [(kind.source_class(), ", ".join(kind.suffixes)) for kind in FILES]
    *expected, last = [source.expected or f"a {source.kind} ({endings})" for source, endings in named]
    msg = (
        f"{path} is no model that tfmagic can read: expected {', '.join(expected)} or {last}, "
        f"got a {path.suffix or 'file without a suffix'}"
    )
    if (what := what_it_is(path)) is not None:
        msg = f"{path} is {what}"
    raise SourceError(msg)


def source_of_object(live: Any, text: str) -> Source:
    """Return the source for a live object."""
    kinds: list[type[LiveSource]] = [_loaded(kind) for kind in OBJECTS]
    for kind in kinds:
        if kind.takes(live):
            return kind(live, text)
    description = (
        f"the class {live.__name__}, not an instance of it"
        if isinstance(live, type)
        else f"of type {type(live).__name__}"
    )
    msg = (
        f"{text} is no model, it is {description}: expected a path, a Keras model, a tf.Module, a tf.function, "
        "a ConcreteFunction, a tf.Graph or a GraphDef"
    )
    raise SourceError(msg)
