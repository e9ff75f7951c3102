"""A checkpoint of a graph's variables, and the nodes by which TensorFlow's own loaders and ``Saver`` use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.formats.saved_model.restore_plan import CheckpointEntry, add_restore, add_strings
from tfmagic.graphdef.walk import free_name
from tfmagic.runtime.state.variables_io import checksum
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np

    from tfmagic.runtime.state.tables import Table

v1 = tf.compat.v1

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


class SaverNodes:
    """Adds the nodes that save and restore a checkpoint; ``saver_def`` is None where nothing is saved."""

    def __init__(
        self, definition: Any, variables: Sequence[str], tables: Sequence[Table], checkpoint: Checkpoint
    ) -> None:
        self._definition = definition
        self._nodes = {node.name: node for node in definition.node}
        self._checkpoint = checkpoint
        self.scope = free_name("save", {name.split("/")[0] for name in self._nodes})
        self.readers = {name: self._reader(index, name) for index, name in enumerate(variables)}
        saved = [name for name in variables if name in checkpoint.dtypes]
        self.assignments = {name: f"{self.scope}/assign_{index}" for index, name in enumerate(saved)}
        self.saver_def: Any = None
        if checkpoint.dtypes:
            plan = {name: CheckpointEntry(name, checkpoint.dtypes[name]) for name in saved}
            add_restore(definition, plan, saved, self.scope)
            self._add_save(saved, tables)
            self.saver_def = v1.train.SaverDef(
                filename_tensor_name=f"{self.scope}/prefix:0",
                save_tensor_name=f"{self.scope}/control_dependency:0",
                restore_op_name=f"{self.scope}/done",
                max_to_keep=5,
                keep_checkpoint_every_n_hours=10000.0,
                version=v1.train.SaverDef.V2,
            )

    def add_group(self, name: str, operations: Sequence[str]) -> str:
        """Add an operation that runs these, and return its name."""
        group = self._add(name, "NoOp")
        group.input.extend(f"^{operation}" for operation in operations)
        return str(group.name)

    def _reader(self, index: int, name: str) -> str:
        variable = self._nodes[name]
        resource = variable.op == "VarHandleOp"
        read = self._add(f"read_{index}", "ReadVariableOp" if resource else "Identity", name)
        read.attr["dtype" if resource else "T"].type = variable.attr["dtype"].type
        read.attr["_class"].list.s.append(f"loc:@{name}".encode())
        return str(read.name)

    def _add_save(self, saved: Sequence[str], tables: Sequence[Table]) -> None:
        done = next(node for node in self._definition.node if node.name == f"{self.scope}/done")
        keys, sources = list(saved), [self.readers[name] for name in saved]
        for index, table in enumerate(tables):
            exported = self._add(f"export_{index}", "LookupTableExportV2", table.name)
            for attribute, key in (("Tkeys", table.keys), ("Tvalues", table.entries)):
                exported.attr[attribute].type = self._checkpoint.dtypes[key]
            keys += [table.keys, table.entries]
            sources += [exported.name, f"{exported.name}:1"]
            done.input.append(f"^{self._importer(index, table)}")
        self._strings("save_keys", keys)
        self._strings("save_slices", [""] * len(keys))
        names = (f"{self.scope}/{name}" for name in ("prefix", "save_keys", "save_slices"))
        save = self._add("SaveV2", "SaveV2", *names, *sources)
        save.attr["dtypes"].list.type.extend(self._checkpoint.dtypes[key] for key in keys)
        after = self._add("control_dependency", "Identity", f"{self.scope}/prefix", f"^{save.name}")
        after.attr["T"].type = tf.string.as_datatype_enum

    def _importer(self, index: int, table: Table) -> str:
        keys = (table.keys, table.entries)
        names = [f"{self.scope}/prefix", f"{self.scope}/table_keys_{index}", f"{self.scope}/table_slices_{index}"]
        self._strings(f"table_keys_{index}", list(keys))
        self._strings(f"table_slices_{index}", ["", ""])
        restore = self._add(f"table_restore_{index}", "RestoreV2", *names)
        restore.attr["dtypes"].list.type.extend(self._checkpoint.dtypes[key] for key in keys)
        into = self._add(f"table_import_{index}", "LookupTableImportV2", table.name, restore.name, f"{restore.name}:1")
        into.attr["Tin"].type, into.attr["Tout"].type = restore.attr["dtypes"].list.type
        return str(into.name)

    def _strings(self, name: str, texts: list[str]) -> None:
        add_strings(self._definition, f"{self.scope}/{name}", texts)

    def _add(self, name: str, op: str, *inputs: str) -> Any:
        node = self._definition.node.add(name=f"{self.scope}/{name}", op=op)
        node.input.extend(inputs)
        return node
