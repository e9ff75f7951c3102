"""Tables that a run can write to: their entries are kept and saved beside the variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.graph.additions import adding_to
from tfmagic.runtime.state.variables_io import OURS
from tfmagic.runtime.tensorflow.private import fetch_once, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

v1 = tf.compat.v1

_KINDS = {"MutableHashTableV2", "MutableDenseHashTableV2"}
_STATIC = "HashTableV2"
_SCOPE = f"{OURS}tables"


@dataclass(frozen=True)
class Table:
    """A table whose entries a run can change.

    Attributes
    ----------
    name
        Its operation's.
    keys, entries
        What its two columns are called in a checkpoint, which is what TensorFlow
        itself calls them.
    """

    name: str

    @property
    def keys(self) -> str:
        """The key of its first column."""
        return f"{self.name}-keys"

    @property
    def entries(self) -> str:
        """The key of its second column."""
        return f"{self.name}-values"


def tables_of(graph: Any) -> list[Table]:
    """Return the tables of a graph that a run can change."""
    return [Table(op.name) for op in graph.get_operations() if op.type in _KINDS]


def static_tables_of(graph: Any) -> list[Table]:
    """Return the tables of a graph that are filled once, when its native session is opened."""
    return [Table(op.name) for op in graph.get_operations() if op.type == _STATIC]


def read_static_tables(graph: Any, native: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Give the two columns, by their keys, of each table that was filled when the native session was opened."""
    for table in static_tables_of(graph):
        try:
            yield from list(read_tables(graph, native, [table]))
        except tf.errors.FailedPreconditionError:
            # It was never filled, and nothing that runs needs it.
            continue


def read_tables(graph: Any, native: Any, tables: list[Table]) -> Iterator[tuple[str, np.ndarray]]:
    """Give the two columns of each table by their keys.

    Parameters
    ----------
    graph
        The tables' graph.
    native
        An open native session of it.
    tables
        Which.
    """
    for table in tables:
        exported = _made(graph, table, "export", _export)
        columns = fetch_once(native, [end.name for end in exported.outputs])
        yield from zip((table.keys, table.entries), columns, strict=True)


def write_table(graph: Any, native: Any, table: Table, columns: tuple[np.ndarray, np.ndarray]) -> None:
    """Give a table its entries.

    Parameters
    ----------
    graph, native
        The table's graph, and an open native session of it.
    table
        Which.
    columns
        Its two columns.
    """
    imported = _made(graph, table, "import", _import)
    fed = {end.name: column for end, column in zip(imported.inputs[1:], columns, strict=True)}
    run_once(native, [imported.name], fed)


def _made(graph: Any, table: Table, what: str, make: Callable[[Any, str], Any]) -> Any:
    """Return an operation of ours for a table, made when it is first needed."""
    name = f"{_SCOPE}/{what}/{table.name}"
    try:
        return graph.get_operation_by_name(name)
    except KeyError:
        pass
    op = graph.get_operation_by_name(table.name)
    with adding_to(graph, beside=op):
        return make(op, name)


def _export(op: Any, name: str) -> Any:
    kinds = {"Tkeys": op.get_attr("key_dtype"), "Tvalues": op.get_attr("value_dtype")}
    return tf.raw_ops.LookupTableExportV2(table_handle=op.outputs[0], **kinds, name=name)[0].op


def _import(op: Any, name: str) -> Any:
    # What is filled once cannot be imported into.
    fill = tf.raw_ops.InitializeTableV2 if op.type == _STATIC else tf.raw_ops.LookupTableImportV2
    columns = [v1.placeholder(op.get_attr(kind), name=f"{name}_{kind}") for kind in ("key_dtype", "value_dtype")]
    return fill(table_handle=op.outputs[0], keys=columns[0], values=columns[1], name=name)
