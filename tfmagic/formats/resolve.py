"""From a path or an object to the source that knows how to read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import absolute_path, existing_path, local_path
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.formats.common.source import Source


def source_of(what: Any, text: str | None = None) -> Source:
    """Return the source for a path or a live object.

    Parameters
    ----------
    what
        A ``str`` or path-like naming a file or folder, or a live object.
    text
        What the person typed for it; by default the path, or the object's type.

    Raises
    ------
    MissingPathError
        When nothing is at the path.
    SourceError
        When it is no kind of source.
    """
    if isinstance(what, (str, os.PathLike)):
        shown = os.fspath(what)
        # Absolute, so that the model can be read again after a change of directory.
        return source_of_path(absolute_path(local_path(str(shown))), text or str(shown))
    return source_of_object(what, text or f"an object of {type(what).__name__}")


def source_of_path(path: Path, text: str) -> Source:
    """Return the source for what is at a path."""
    from tfmagic.formats.checkpoint.read import CheckpointSource, checkpoint_at
    from tfmagic.formats.frozen.read import FrozenSource
    from tfmagic.formats.saved_model.meta_graph import FILES
    from tfmagic.formats.saved_model.read import SavedModelSource

    checkpoint = checkpoint_at(path)
    if checkpoint is not None:
        return CheckpointSource(checkpoint, text, latest_of=path if path.is_dir() else None)
    existing_path(path)
    if path.is_dir() or path.name in FILES:
        return SavedModelSource(path, text)
    if path.suffix in {".pb", ".pbtxt"}:
        return FrozenSource(path, text)
    if path.suffix in {".keras", ".h5", ".hdf5"}:
        from tfmagic.formats.keras.read import KerasFileSource

        return KerasFileSource(path, text)
    msg = (
        f"{path} is no model that tfmagic can read: expected a SavedModel folder, .keras, .h5, a frozen graph "
        f"(.pb, .pbtxt) or a v1 checkpoint with its .meta, got a {path.suffix or 'file without a suffix'}"
    )
    raise SourceError(msg)


def source_of_object(live: Any, text: str) -> Source:
    """Return the source for a live object."""
    from tfmagic.formats.frozen.read import GraphDefSource
    from tfmagic.formats.keras.live_model import KerasSource
    from tfmagic.formats.live.function import FunctionSource
    from tfmagic.formats.live.graph import GraphSource
    from tfmagic.formats.live.module import ModuleSource

    for kind in (GraphSource, GraphDefSource, KerasSource, FunctionSource, ModuleSource):
        if kind.takes(live):
            return kind(live, text)
    what = (
        f"the class {live.__name__}, not an instance of it"
        if isinstance(live, type)
        else f"of type {type(live).__name__}"
    )
    msg = (
        f"{text} is no model, it is {what}: expected a path, a Keras model, a tf.Module, a tf.function, "
        "a ConcreteFunction, a tf.Graph or a GraphDef"
    )
    raise SourceError(msg)
