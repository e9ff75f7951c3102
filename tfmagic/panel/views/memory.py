"""``%tf_runtime memory``: what the process, the devices and the models use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import bytes_text, peak_text
from tfmagic.panel.views.view import View

if TYPE_CHECKING:
    from tfmagic.model.memory_record import MemoryRecord
    from tfmagic.runtime.memory.policy import PolicyRecord

NOT_REPORTED = "not reported by this allocator"


class MemoryPage(View):
    """Memory as three tables: the process, its devices, its models."""

    def __init__(self, record: MemoryRecord) -> None:
        self.record = record

    def _tables(self) -> list[Table]:
        record = self.record
        process = record["process"]
        limit = process["limit_bytes"]
        limits = [
            f"{bytes_text(size)} on {device.lower()}" if device else bytes_text(size)
            for device, size in record["budget_limits"].items()
        ]
        rows = [
            ("resident", bytes_text(process["rss_bytes"])),
            ("private", bytes_text(process["private_bytes"])),
            ("shared, its part", bytes_text(process["shared_bytes"])),
            ("free in malloc", bytes_text(process["free_in_malloc_bytes"])),
            ("available", bytes_text(process["available_bytes"])),
            (
                "container's limit",
                "none" if limit is None else f"{bytes_text(limit)}, {bytes_text(process['limit_used_bytes'])} used",
            ),
            ("memory_budget", ", ".join(limits) or ("none: no container's limit" if record["budget"] else "none")),
            *policy_rows(record["policy"]),
        ]
        devices = [
            (one["name"], _reported(one["used_bytes"]), _reported(one["peak_bytes"])) for one in record["devices"]
        ]
        models = [
            (
                one["name"],
                one["state"],
                bytes_text(one["weights_bytes"]),
                bytes_text(one["constants_bytes"]),
                bytes_text(one["held_bytes"]),
                bytes_text(one["grew_bytes"]),
                peak_text(one["run_peak_bytes"], awaits_trace=one["peak_awaits_trace"]),
            )
            for one in record["models"]
        ]
        tables = [Table(("process", ""), rows)]
        if devices:
            tables.append(Table(("device", "used", "peak"), devices))
        if models:
            headings = ("model", "state", "variables", "constants", "held now", "process grew by", "peak of a run")
            tables.append(Table(headings, models))
        return tables

    def text(self) -> str:
        """Return the tables one below the other."""
        return "\n\n".join(table.text() for table in self._tables())

    def html(self) -> str:
        """Return the tables one below the other."""
        return "".join(table.html() for table in self._tables())


def _reported(count: int | None) -> str:
    return NOT_REPORTED if count is None else bytes_text(count)


def policy_rows(policy: PolicyRecord) -> list[tuple[str, str]]:
    """Return the lines that say what the memory policy is, and what was set for it."""
    said = policy["in_force"] if policy["in_force"] == policy["asked"] else f"{policy['asked']}, {policy['in_force']}"
    variables = [f"{name}={value}" for name, value in policy["variables"].items()]
    return [
        ("memory policy", f'"{said}": {policy["why"]}'),
        ("set for it", "\n".join([*variables, *policy["calls"]]) or "nothing"),
        (
            "trimmed from",
            f"{bytes_text(policy['trim_threshold_bytes'])} of free memory on, after and between cells",
        ),
    ]
