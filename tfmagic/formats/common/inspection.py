"""What is known of a file before it is loaded: signatures, size, and whether it fits into memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict

import tensorflow as tf

from tfmagic.core.paths import disk_bytes
from tfmagic.errors import SourceError
from tfmagic.runtime.memory.process_memory import available_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature, SignatureRecord


class FileRecord(TypedDict):
    """A file that could become a model. None stands for what is not known without loading it.

    ``weights_bytes`` comes from shapes and dtypes, ``disk_bytes`` counts all files, and ``available_bytes`` is the
    memory that is left, a container's limit counted; ``fits`` compares the weights with that.
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


def file_record(
    path: Path,
    kind: str,
    *,
    tags: Sequence[list[str]] = (),
    signatures: Iterable[Signature] = (),
    variables: int | None = None,
    weights_bytes: int | None = None,
    notes: Iterable[str] = (),
    size_bytes: int | None = None,
) -> FileRecord:
    """Return the record of a file; ``size_bytes`` is for one that consists of several files."""
    available = available_bytes()
    return {
        "path": str(path),
        "kind": kind,
        "disk_bytes": disk_bytes(path) if size_bytes is None else size_bytes,
        "available_bytes": available,
        "fits": None if available is None or weights_bytes is None else weights_bytes <= available,
        "tags": list(tags),
        "signatures": [signature.record() for signature in signatures],
        "variables": variables,
        "weights_bytes": weights_bytes,
        "notes": list(notes),
    }


def checkpoint_size(prefix: Path) -> tuple[int, int]:
    """Return the number of a checkpoint's tensors and their bytes; only its index is read."""
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        return 0, 0
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        msg = f"{prefix}.index cannot be read, it may be damaged ({str(error).splitlines()[0]})"
        raise SourceError(msg) from error
    # Text has no fixed size: the object graph of a v2 checkpoint is text.
    weights = {name: shape for name, shape in shapes.items() if dtypes[name] != tf.string}
    return len(weights), sum(math.prod(shape) * dtypes[name].size for name, shape in weights.items())


def placeholder_note(definition: Any) -> list[str]:
    """Return a note that lists a graph's placeholders, if it has any."""
    inputs = [node.name for node in definition.node if node.op.startswith("Placeholder")]
    return [f"placeholders: {', '.join(inputs)}"] if inputs else []
