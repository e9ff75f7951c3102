"""From a path or an object to the source that reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import absolute_path, existing_path, local_path
from tfmagic.errors import SourceError
from tfmagic.formats.kinds import FILES, object_kinds

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.formats.common.inspection import FileRecord
    from tfmagic.formats.common.source import FileSource, Source
    from tfmagic.formats.kinds import FileKind


def source_of(source: Any, text: str | None = None) -> Source:
    """Return the source for a path or a live object; `text` is what the person typed for it.

    Nothing at the path is a `MissingPathError`; what is no model is a `SourceError`.
    """
    if isinstance(source, (str, os.PathLike)):
        return _source_of_path(source, text)
    return source_of_object(source, text or f"an object of {type(source).__name__}")


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
    for kind in FILES:
        if kind.takes(path):
            return kind.source_class()(path, text or shown)
    existing_path(path)
    *expected, last = [_expected(kind) for kind in FILES]
    msg = (
        f"{path} is no model that tfmagic can read: expected {', '.join(expected)} or {last}, "
        f"got a {path.suffix or 'file without a suffix'}"
    )
    raise SourceError(msg)


def _expected(kind: FileKind) -> str:
    source = kind.source_class()
    return source.expected or f"a {source.kind} ({', '.join(kind.suffixes)})"


def source_of_object(live: Any, text: str) -> Source:
    """Return the source for a live object."""
    for kind in object_kinds():
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
