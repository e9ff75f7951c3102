"""A look at a file without loading it: signatures, size, and whether it fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict

import tensorflow as tf

from tfmagic.core.paths import disk_bytes
from tfmagic.errors import SourceError
from tfmagic.formats.checkpoint.read import CheckpointSource, read_meta_graph
from tfmagic.formats.common.loading import reading
from tfmagic.formats.frozen.read import FrozenSource, read_graph
from tfmagic.formats.keras.read import KerasFileSource
from tfmagic.formats.resolve import source_of
from tfmagic.formats.saved_model.meta_graph import (
    chosen_meta_graph,
    graph_file,
    read_saved_model,
    signatures_of,
    version_of,
)
from tfmagic.formats.saved_model.read import SavedModelSource
from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.runtime.memory.process_memory import available_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.execution.signature.signature import SignatureRecord


class FileRecord(TypedDict):
    """A file that could become a model, looked at without loading it.

    Attributes
    ----------
    path, kind
        Where it is, and what.
    signatures
        By tag set and name, as far as the file declares them.
    variables
        How many the file holds.
    weights_bytes
        Their size, from shapes and dtypes.
    disk_bytes
        The size of all its files.
    available_bytes
        Memory that could still be had: the container's limit counted where there
        is one.
    fits
        Whether the weights fit into that.
    """

    path: str
    kind: str
    tags: list[list[str]]
    signatures: list[SignatureRecord]
    variables: int | None
    weights_bytes: int | None
    disk_bytes: int
    available_bytes: int | None
    fits: bool | None
    notes: list[str]


def inspect_path(path: Any) -> FileRecord:
    """Return what there is to say of a file before it is loaded."""
    source = source_of(path)
    if isinstance(source, SavedModelSource):
        return _saved_model(source.path)
    if isinstance(source, FrozenSource):
        return _frozen(source.path)
    if isinstance(source, CheckpointSource):
        return _v1_checkpoint(source.path)
    if isinstance(source, KerasFileSource):
        return _keras_file(source)
    msg = f"{path!r} is no path: %tf_model show takes a model's name or a path"
    raise SourceError(msg)


def _saved_model(path: Path) -> FileRecord:
    folder, note = version_of(path)
    message = read_saved_model(str(path), folder)
    tags = [sorted(meta.meta_info_def.tags) for meta in message.meta_graphs]
    notes = [note] if note else []
    meta = (
        message.meta_graphs[0]
        if len(tags) == 1 or ["serve"] not in tags
        else chosen_meta_graph(str(path), folder, None)
    )
    with reading(str(path), graph_file(folder), "the signatures"):
        signatures, left_out = signatures_of(meta)
    count, weights_bytes = _checkpoint(folder / "variables" / "variables")
    return _record(
        folder,
        "SavedModel",
        tags=tags,
        signatures=[signature.record() for signature in signatures.values()],
        variables=count,
        weights_bytes=weights_bytes,
        notes=[*notes, *left_out],
    )


def _checkpoint(prefix: Path) -> tuple[int | None, int | None]:
    """Return the number and size of a checkpoint's tensors; its index alone is read."""
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        return 0, 0
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        msg = f"{prefix}.index cannot be read, it may be damaged ({str(error).splitlines()[0]})"
        raise SourceError(msg) from error
    # Text has no fixed size: the object graph of a v2 checkpoint is one such.
    weights = {name: shape for name, shape in shapes.items() if dtypes[name] != tf.string}
    return len(weights), sum(math.prod(shape) * dtypes[name].size for name, shape in weights.items())


def _frozen(path: Path) -> FileRecord:
    slim = read_graph(str(path), path)
    definition = slim.definition
    notes = [f"{len(definition.node)} operations; its ends are inferred when it is added"]
    notes.extend(_placeholders(definition))
    kept = sum(node.attr["value"].tensor.ByteSize() for node in definition.node if node.op == "Const")
    return _record(
        path,
        "frozen graph",
        tags=[],
        signatures=[],
        variables=0,
        weights_bytes=kept + sum(slim.away.values()),
        notes=notes,
    )


def _v1_checkpoint(path: Path) -> FileRecord:
    meta = read_meta_graph(str(path), path)
    signatures, notes = signatures_of(meta)
    if not signatures:
        notes = [*notes, "its ends are inferred when it is added", *_placeholders(meta.graph_def)]
    count, weights_bytes = _checkpoint(path)
    files = [file for file in path.parent.glob(f"{path.name}.*") if file.is_file()]
    return _record(
        path,
        "checkpoint",
        tags=[],
        signatures=[signature.record() for signature in signatures.values()],
        variables=count,
        weights_bytes=weights_bytes,
        notes=notes,
        size=sum(disk_bytes(file) for file in files),
    )


def _keras_file(source: KerasFileSource) -> FileRecord:
    signature, sizes, notes = source.glance()
    known = [size for size in sizes if size is not None]
    return _record(
        source.path,
        source.kind,
        tags=[],
        signatures=[] if signature is None else [signature.record()],
        variables=len(sizes) if signature is not None else None,
        weights_bytes=sum(known) if signature is not None else None,
        notes=notes,
    )


def _placeholders(definition: Any) -> list[str]:
    inputs = [node.name for node in definition.node if node.op in PLACEHOLDERS]
    return [f"placeholders: {', '.join(inputs)}"] if inputs else []


def _record(
    path: Path,
    kind: str,
    *,
    tags: list[list[str]],
    signatures: list[SignatureRecord],
    variables: int | None,
    weights_bytes: int | None,
    notes: list[str],
    size: int | None = None,
) -> FileRecord:
    available = available_bytes()
    fits = None if available is None or weights_bytes is None else weights_bytes <= available
    return {
        "path": str(path),
        "kind": kind,
        "disk_bytes": disk_bytes(path) if size is None else size,
        "available_bytes": available,
        "fits": fits,
        "tags": tags,
        "signatures": signatures,
        "variables": variables,
        "weights_bytes": weights_bytes,
        "notes": notes,
    }
