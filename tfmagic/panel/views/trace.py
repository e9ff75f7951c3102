"""``--trace``: where the time of one run went, operation by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text, seconds_text
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from tfmagic.model.tracing.trace import OperationRecord, TraceRecord


class TraceTable(Page):
    """The operations that took longest, a line for the rest, and the totals of each device."""

    def __init__(self, record: TraceRecord) -> None:
        self.record = record

    def parts(self) -> list[Table]:
        """Return both tables, the first under the caption."""
        record = self.record
        caption = f"{record['model']}: one run, {seconds_text(record['wall_s'])}"
        if not record["operations"]:
            note = "TensorFlow recorded no operation of it"
            return [Table((f"{caption}; {note}",), ())]
        rows = [_row(operation, operation["name"]) for operation in record["operations"][: record["shown"]]]
        if record["rest"] is not None:
            left_out = len(record["operations"]) - record["shown"]
            rows.append(_row(record["rest"], "1 other operation" if left_out == 1 else f"{left_out} other operations"))
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
        return [
            Table(headings, rows, f"{caption} (operations that ran side by side add up to more)"),
            Table(("device", "operations", "time", "allocated"), devices),
        ]


def _row(operation: OperationRecord, name: str) -> tuple[str, ...]:
    return (
        name,
        operation["type"],
        UNKNOWN if operation["device"] is None else operation["device"],
        str(operation["count"]),
        seconds_text(operation["time_s"]),
        f"{100 * operation['share']:.1f} %",
        bytes_text(operation["allocated_bytes"]),
        bytes_text(operation["output_bytes"]),
    )
