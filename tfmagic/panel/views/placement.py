"""``%tf_runtime placement``: where a model's operations and variables were asked to be, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.units import UNKNOWN, bytes_text
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tfmagic.model.tracing.placement import (
        PlacedDeviceRecord,
        PlacedOperationRecord,
        PlacedVariableRecord,
        PlacementRecord,
    )
    from tfmagic.panel.drawing.table import Columns, R

_SHOWN = 20
_DEVICES: Columns[PlacedDeviceRecord] = {
    "device": lambda device: device["device"],
    "operations": lambda device: str(device["operations"]),
    "variables": lambda device: str(device["variables"]),
    "their size": lambda device: bytes_text(device["bytes"]),
    "share of time": lambda device: _share(device["share"]),
}
_OPERATIONS: Columns[PlacedOperationRecord] = {
    "operation": lambda operation: operation["name"],
    "type": lambda operation: operation["type"],
    "asked for": lambda operation: operation["requested"] or "no request",
    "ran on": lambda operation: _actual(operation["actual"], moved=operation["moved"]),
    "share of time": lambda operation: _share(operation["share"]),
}
_VARIABLES: Columns[PlacedVariableRecord] = {
    "variable": lambda variable: variable["name"],
    "size": lambda variable: bytes_text(variable["size_bytes"]),
    "asked for": lambda variable: variable["requested"] or "no request",
    "lies on": lambda variable: _actual(variable["actual"], moved=variable["moved"]),
}


class PlacementPage(Page["Sequence[PlacementRecord]"]):
    """Of each model a summary by device, what was moved, and the operations that take the most time."""

    def __init__(self, record: Sequence[PlacementRecord], *, everything: bool = False) -> None:
        super().__init__(record)
        self._shown = None if everything else _SHOWN

    def parts(self) -> Iterator[Table | str]:
        """Yield what was moved, in a sentence, and the tables."""
        for record in self.record:
            if record["known_from"] is None:
                yield f"{record['model']}: where it runs is not known: {record['note']}"
                continue
            if record["moved"]:
                yield (
                    f"{record['model']}: soft placement has moved {record['moved']} "
                    f"{'operations and variables' if record['moved'] > 1 else 'operation or variable'} to another "
                    "device than was asked for: there is no such device, or it has no kernel for them "
                    "(%tf_runtime devices)"
                )
            caption = f"{record['model']}, as {record['known_from']} has shown"
            yield Table.of(record["devices"] or (), _DEVICES, caption)
            yield self._first(record["operations"], record["total"], _OPERATIONS)
            if record["variables"]:
                yield self._first(record["variables"], len(record["variables"]), _VARIABLES)

    def _first(self, records: Sequence[R], total: int, columns: Columns[R]) -> Table:
        shown = records[: self._shown]
        others = total - len(shown)
        return Table.of(shown, columns, rest=(f"and {others} more",) if others > 0 else ())


def _actual(device: str | None, *, moved: bool) -> str:
    return "not in this run" if device is None else device + (" (moved)" if moved else "")


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.1%}"
