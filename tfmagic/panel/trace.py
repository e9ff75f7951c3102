"""``--trace``: where the time of one run went, operation by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.table import Table
from tfmagic.panel.units import UNKNOWN, bytes_text, seconds_text
from tfmagic.panel.view import View, captioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.model.trace import OperationRecord, TraceRecord

_SHOWN = 20


class TraceTable(View):
    """The operations that took longest, a line for the rest, and the totals of each device."""

    def __init__(self, record: TraceRecord) -> None:
        self.record = record

    def text(self) -> str:
        """Return the caption and both tables."""
        return "\n\n".join([self._caption(), *(table.text() for table in self._tables())])

    def html(self) -> str:
        """Return both tables under the caption."""
        return captioned(self._caption(), *self._tables())

    def _caption(self) -> str:
        record = self.record
        head = f"{record['model']}: one run, {seconds_text(record['wall_s'])}"
        if not record["operations"]:
            return f"{head}; TensorFlow recorded no operation of it"
        return f"{head}; operations that run side by side add up to more"

    def _tables(self) -> list[Table]:
        record = self.record
        if not record["operations"]:
            return []
        shown, rest = record["operations"][:_SHOWN], record["operations"][_SHOWN:]
        total = sum(operation["time_s"] for operation in record["operations"])
        rows = [_row(operation, total) for operation in shown]
        if rest:
            rows.append(_rest(rest, total))
        headings = ("operation", "type", "device", "times", "time", "share", "allocated", "output")
        devices = [
            (
                device["device"] or UNKNOWN,
                str(device["operations"]),
                seconds_text(device["time_s"]),
                bytes_text(device["allocated_bytes"]),
            )
            for device in record["devices"]
        ]
        return [Table(headings, rows), Table(("device", "operations", "time", "allocated"), devices)]


def _row(operation: OperationRecord, total: float) -> tuple[str, ...]:
    return (
        operation["name"],
        operation["type"],
        operation["device"] or UNKNOWN,
        str(operation["count"]),
        seconds_text(operation["time_s"]),
        _share(operation["time_s"], total),
        bytes_text(operation["allocated_bytes"]),
        bytes_text(operation["output_bytes"]),
    )


def _rest(rest: Sequence[OperationRecord], total: float) -> tuple[str, ...]:
    time_s = sum(operation["time_s"] for operation in rest)
    allocated = [operation["allocated_bytes"] for operation in rest if operation["allocated_bytes"] is not None]
    noun = "operation" if len(rest) == 1 else "operations"
    return (
        f"{len(rest)} other {noun}",
        "",
        "",
        str(sum(operation["count"] for operation in rest)),
        seconds_text(time_s),
        _share(time_s, total),
        bytes_text(sum(allocated) if allocated else None),
        "",
    )


def _share(part: float, total: float) -> str:
    return f"{part / total:.0%}" if total else UNKNOWN
