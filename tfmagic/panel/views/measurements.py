"""``--repeat`` and ``--trace``: how long a call takes, and where the time of one run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.units import UNKNOWN, bytes_text, counted, seconds_text
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import Page, RecordView

if TYPE_CHECKING:
    from tfmagic.model.running.timing import TimingRecord
    from tfmagic.model.tracing.trace import OperationRecord, TracedDeviceRecord, TraceRecord
    from tfmagic.panel.drawing.table import Columns

_OPERATIONS: Columns[OperationRecord] = {
    "operation": lambda operation: operation["name"],
    "type": lambda operation: operation["type"],
    "device": lambda operation: UNKNOWN if operation["device"] is None else operation["device"],
    "times": lambda operation: str(operation["count"]),
    "time": lambda operation: seconds_text(operation["time_s"]),
    "share": lambda operation: f"{100 * operation['share']:.1f} %",
    "allocated": lambda operation: bytes_text(operation["allocated_bytes"]),
    "output": lambda operation: bytes_text(operation["output_bytes"]),
}
_DEVICES: Columns[TracedDeviceRecord] = {
    "device": lambda device: device["device"] or UNKNOWN,
    "operations": lambda device: str(device["operations"]),
    "time": lambda device: seconds_text(device["time_s"]),
    "allocated": lambda device: bytes_text(device["allocated_bytes"]),
}


class TimingLine(RecordView["TimingRecord"]):
    """How long a call takes, in a line as ``%timeit`` has it: the mean and spread over the runs, and the best."""

    def text(self) -> str:
        """Return ``195 µs ± 4.2 µs per run (mean ± std. dev. of 7 runs, 1,000 loops each), best 190 µs``."""
        record = self.record
        loops = "1 loop" if record["loops"] == 1 else f"{record['loops']:,} loops"
        if record["deviation_s"] is None:
            return f"{seconds_text(record['mean_s'])} per run (1 run, {loops})"
        spread = f"{seconds_text(record['mean_s'])} ± {seconds_text(record['deviation_s'])}"
        runs = f"mean ± std. dev. of {record['repeat']} runs, {loops} each"
        return f"{spread} per run ({runs}), best {seconds_text(record['best_s'])}"


class TraceTable(Page["TraceRecord"]):
    """The operations that took longest, a line for the rest, and the totals of each device."""

    def parts(self) -> list[Table]:
        """Return both tables, the first under the caption."""
        record = self.record
        caption = f"{record['model']}: one run, {seconds_text(record['wall_s'])}"
        if not record["operations"]:
            return [Table((f"{caption}; TensorFlow recorded no operation of it",), ())]
        operations = record["operations"][: record["shown"]]
        if record["rest"] is not None:
            left_out = counted(len(record["operations"]) - record["shown"], "other operation")
            operations.append({**record["rest"], "name": left_out})
        caption += " (operations that ran side by side add up to more)"
        return [Table.of(operations, _OPERATIONS, caption), Table.of(record["devices"], _DEVICES)]
