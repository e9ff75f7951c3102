"""Tables that a run can write to: their entries are kept and saved together with the variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.graph.operations import adding_to
from tfmagic.runtime.state.variables_io import OURS
from tfmagic.runtime.tensorflow.private import fetch_once, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

v1 = tf.compat.v1

_MUTABLE = {"MutableHashTableV2", "MutableDenseHashTableV2"}
_STATIC = "HashTableV2"
_SCOPE = f"{OURS}tables"


@dataclass(frozen=True)
class Table:
    """A table, by the name of its operation; its columns have the names that TensorFlow uses in checkpoints."""

    name: str

    @property
    def keys(self) -> str:
        """The name of its first column."""
        return f"{self.name}-keys"

    @property
    def entries(self) -> str:
        """The name of its second column."""
        return f"{self.name}-values"


def tables_of(graph: Any) -> list[Table]:
    """Return the tables of a graph that a run can change."""
    return [Table(op.name) for op in graph.get_operations() if op.type in _MUTABLE]


def static_tables_of(graph: Any) -> list[Table]:
    """Return the tables of a graph that are filled once, when its native session opens."""
    return [Table(op.name) for op in graph.get_operations() if op.type == _STATIC]


def read_static_tables(graph: Any, native: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and value of both columns of each static table that was filled."""
    for table in static_tables_of(graph):
        try:
            yield from list(read_tables(graph, native, [table]))
        except tf.errors.FailedPreconditionError:
            # It was never filled, and nothing that runs needs it.
            continue


def read_tables(graph: Any, native: Any, tables: list[Table]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and value of both columns of each table, from an open native session of the graph."""
    for table in tables:
        export = _operation(graph, table, "export", _export)
        columns = fetch_once(native, [output.name for output in export.outputs])
        yield from zip((table.keys, table.entries), columns, strict=True)


def write_table(graph: Any, native: Any, table: Table, columns: tuple[np.ndarray, np.ndarray]) -> None:
    """Write a table's two columns to an open native session of the graph."""
    import_op = _operation(graph, table, "import", _import)
    feeds = {tensor.name: column for tensor, column in zip(import_op.inputs[1:], columns, strict=True)}
    run_once(native, [import_op.name], feeds)


def _operation(graph: Any, table: Table, purpose: str, make: Callable[[Any, str], Any]) -> Any:
    """Return tfmagic's operation for a table; the first call adds it to the graph."""
    name = f"{_SCOPE}/{purpose}/{table.name}"
    try:
        return graph.get_operation_by_name(name)
    except KeyError:
        pass
    op = graph.get_operation_by_name(table.name)
    with adding_to(graph, beside=op):
        return make(op, name)


def _export(op: Any, name: str) -> Any:
    dtypes = {"Tkeys": op.get_attr("key_dtype"), "Tvalues": op.get_attr("value_dtype")}
    return tf.raw_ops.LookupTableExportV2(table_handle=op.outputs[0], **dtypes, name=name)[0].op


def _import(op: Any, name: str) -> Any:
    # A static table cannot be imported into, only initialised.
    fill = tf.raw_ops.InitializeTableV2 if op.type == _STATIC else tf.raw_ops.LookupTableImportV2
    keys, values = (
        v1.placeholder(op.get_attr(dtype), name=f"{name}_{dtype}") for dtype in ("key_dtype", "value_dtype")
    )
    return fill(table_handle=op.outputs[0], keys=keys, values=values, name=name)
