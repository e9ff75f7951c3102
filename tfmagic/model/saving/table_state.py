"""Tables that a model writes to: their entries are saved beside the variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.private import fetch_once
from tfmagic.runtime.values import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

_KINDS = {"MutableHashTableV2", "MutableDenseHashTableV2"}
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
        exported = _exported(graph, table)
        columns = fetch_once(native, [end.name for end in exported.outputs])
        yield from zip((table.keys, table.entries), columns, strict=True)


def _exported(graph: Any, table: Table) -> Any:
    """Return the operation that gives a table's columns, made when it is first needed."""
    name = f"{_SCOPE}/{table.name}"
    try:
        return graph.get_operation_by_name(name)
    except KeyError:
        pass
    op = graph.get_operation_by_name(table.name)
    with graph.as_default(), graph.control_dependencies(None), graph.name_scope(None), graph.colocate_with(op):
        made = tf.raw_ops.LookupTableExportV2(
            table_handle=op.outputs[0],
            Tkeys=op.get_attr("key_dtype"),
            Tvalues=op.get_attr("value_dtype"),
            name=name,
        )
    return made[0].op
