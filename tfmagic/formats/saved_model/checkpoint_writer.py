"""The values of variables as TensorFlow's checkpoint, written as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.state.variables_io import checksum
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

# The size of a checkpoint's file, and so the memory beside the variables, unless one of them is larger.
_SHARD_BYTES = 64_000_000


@dataclass
class Checkpoint:
    """What was written: the enum of each value's dtype, and its checksum, by key."""

    dtypes: dict[str, int] = field(default_factory=dict)
    checksums: dict[str, int] = field(default_factory=dict)


def write_checkpoint(prefix: Path, values: Iterable[tuple[str, np.ndarray]]) -> Checkpoint:
    """Write a checkpoint of values by key, consumed one by one; without any value no folder is made."""
    written = Checkpoint()
    shards: list[str] = []
    waiting: dict[str, Any] = {}
    size = 0
    # In a separate folder, which the merge removes.
    parts = prefix.with_name(f"{prefix.name}_parts")
    with eager_execution(), tf.device("CPU:0"):
        for key, value in values:
            tensor = tf.constant(value)
            written.dtypes[key] = tensor.dtype.as_datatype_enum
            written.checksums[key] = checksum(value)
            waiting[key] = tensor
            size += value.nbytes
            if size >= _SHARD_BYTES:
                shards.append(_write(parts / str(len(shards)), waiting))
                waiting, size = {}, 0
        if waiting:
            shards.append(_write(parts / str(len(shards)), waiting))
        if shards:
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=shards, destination_prefix=str(prefix), delete_old_dirs=True
            )
    return written


def _write(prefix: Path, values: dict[str, Any]) -> str:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=list(values.values()),
    )
    return str(prefix)
