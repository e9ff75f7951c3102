"""A graph's values from when its native session was closed until the next one gets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.workers import workers
from tfmagic.runtime.state.tables import (
    Table,
    read_static_tables,
    read_tables,
    static_tables_of,
    tables_of,
    write_table,
)
from tfmagic.runtime.state.variables_io import holds_only_variables, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.runtime.state.spill import Spill

# Limit for reading the variables of a graph that is being cancelled.
_READ_S = 2.0


class KeptState(Protocol):
    """The values that a graph held."""

    @property
    def is_whole(self) -> bool:
        """Whether it has every variable, so that the source need not be read for them."""

    def needs_no_source(self, graph: Any) -> bool:
        """Return whether it has everything that a native session of the graph needs."""

    def put_back(self, graph: Any, native: Any) -> None:
        """Write the values to a native session that was just opened."""

    def discard(self) -> None:
        """Delete the values: the graph is given up."""


@dataclass
class InMemory:
    """Values in the process's memory, for as long as it takes to open another native session."""

    variables: list[tuple[str, np.ndarray]]
    tables: list[tuple[Table, tuple[np.ndarray, np.ndarray]]]
    is_whole = True

    def needs_no_source(self, graph: Any) -> bool:
        """Return whether the graph has nothing else that its source fills."""
        return holds_only_variables(graph, beside={table.name for table in tables_of(graph)})

    def put_back(self, graph: Any, native: Any) -> None:
        """Write variables and tables."""
        values_of(graph).write(native, self.variables)
        for table, columns in self.tables:
            write_table(graph, native, table, columns)

    def discard(self) -> None:
        """Release the arrays."""
        self.variables.clear()
        self.tables.clear()


@dataclass
class OnDisk:
    """Values in a spill file; `spill` is None where the source gives the same values again."""

    spill: Spill | None

    @property
    def is_whole(self) -> bool:
        """Whether there is a file."""
        return self.spill is not None

    def needs_no_source(self, graph: Any) -> bool:
        """Return whether the file has everything; it also has the tables that the source fills."""
        every = _all_tables(graph)
        return self.is_whole and holds_only_variables(graph, beside={table.name for table in every})

    def put_back(self, graph: Any, native: Any) -> None:
        """Write variables and tables from the file."""
        spill = self.spill
        if spill is None:
            return
        tables = {key: table for table in _all_tables(graph) for key in (table.keys, table.entries)}
        columns: dict[str, np.ndarray] = {}

        def variables() -> Iterator[tuple[str, np.ndarray]]:
            for name, value in spill.read():
                if name in tables:
                    columns[name] = value
                else:
                    yield name, value

        values_of(graph).write(native, variables())
        for table in dict.fromkeys(tables.values()):
            if table.keys in columns:
                write_table(graph, native, table, (columns[table.keys], columns[table.entries]))

    def discard(self) -> None:
        """Remove the file."""
        if self.spill is not None:
            self.spill.remove_in_background()


def _all_tables(graph: Any) -> list[Table]:
    return [*tables_of(graph), *static_tables_of(graph)]


def values_and_tables(graph: Any, native: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield everything that a native session holds: variables, and the columns of all tables.

    Static tables are included: their source may be gone when they are needed again.
    """
    yield from values_of(graph).read(native)
    yield from read_tables(graph, native, tables_of(graph))
    yield from read_static_tables(graph, native)


def read_in_time(graph: Any, native: Any) -> InMemory | None:
    """Return copies of a graph's variables and tables; None if that fails or takes over two seconds."""

    def read() -> InMemory:
        tables = tables_of(graph)
        columns = [column for _, column in read_tables(graph, native, tables)]
        # Copies: a run that is still under way may write to the arrays.
        return InMemory(
            [(name, np.array(value)) for name, value in values_of(graph).read(native)],
            list(zip(tables, zip(columns[::2], columns[1::2], strict=True), strict=True)),
        )

    try:
        with CancelScope(_READ_S):
            return workers().call_in_worker(read)
    except Exception:  # noqa: BLE001 - whatever the reason, the source remains
        return None
