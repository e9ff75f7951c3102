"""A graph's values from when its native session was closed until the next one gets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.workers import workers
from tfmagic.runtime.state.tables import read_static_tables, read_tables, static_tables_of, tables_of, write_table
from tfmagic.runtime.state.variables_io import holds_only_variables, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tfmagic.runtime.state.spill import Spill

# Limit for reading the variables of a graph that is being cancelled.
_READ_S = 2.0


@dataclass
class InMemory:
    """Variables and changed tables in the process's memory, while another native session opens."""

    arrays: list[tuple[str, np.ndarray]]
    is_whole = True

    def needs_no_source(self, graph: Any) -> bool:
        """Return whether the graph has nothing else that its source fills."""
        return holds_only_variables(graph, beside={table.name for table in tables_of(graph)})

    def put_back(self, graph: Any, native: Any) -> None:
        """Write the arrays to a native session that was just opened."""
        _write(graph, native, self.arrays)

    def discard(self) -> None:
        """Release the arrays."""
        self.arrays.clear()


@dataclass
class OnDisk:
    """Values in a spill file; `spill` is None where the source gives the same values again."""

    spill: Spill | None

    @property
    def is_whole(self) -> bool:
        """Whether it has every variable, so that the source need not be read for them."""
        return self.spill is not None

    def needs_no_source(self, graph: Any) -> bool:
        """Return whether the file has everything; it also has the tables that the source fills."""
        tables = [*tables_of(graph), *static_tables_of(graph)]
        return self.is_whole and holds_only_variables(graph, beside={table.name for table in tables})

    def put_back(self, graph: Any, native: Any) -> None:
        """Write the values to a native session that was just opened."""
        if self.spill is not None:
            _write(graph, native, self.spill.read())

    def discard(self) -> None:
        """Remove the file."""
        if self.spill is not None:
            self.spill.remove_in_background()


KeptState = InMemory | OnDisk


def _write(graph: Any, native: Any, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    tables = [*tables_of(graph), *static_tables_of(graph)]
    column_names = {name for table in tables for name in (table.keys, table.entries)}
    columns: dict[str, np.ndarray] = {}

    def variables() -> Iterator[tuple[str, np.ndarray]]:
        for name, value in arrays:
            if name in column_names:
                columns[name] = value
            else:
                yield name, value

    values_of(graph).write(native, variables())
    for table in tables:
        if table.keys in columns:
            write_table(graph, native, table, (columns[table.keys], columns[table.entries]))


def values_and_tables(graph: Any, native: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield everything that a native session holds; also static tables, whose source may be gone later."""
    yield from _changeable(graph, native)
    yield from read_static_tables(graph, native)


def _changeable(graph: Any, native: Any) -> Iterator[tuple[str, np.ndarray]]:
    yield from values_of(graph).read(native)
    yield from read_tables(graph, native, tables_of(graph))


def read_in_time(graph: Any, native: Any) -> InMemory | None:
    """Return copies of a graph's variables and tables; None if that fails or takes over two seconds."""

    def read() -> InMemory:
        # Copies: a run that is still under way may write to the arrays.
        return InMemory([(name, np.array(value)) for name, value in _changeable(graph, native)])

    try:
        with CancelScope(_READ_S):
            return workers().call_in_worker(read)
    except Exception:  # noqa: BLE001 - whatever the reason, the source remains
        return None
