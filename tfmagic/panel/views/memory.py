"""``%tf_runtime memory``: what the process, the devices and the models use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import bytes_text, peak_text
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from tfmagic.model.memory_record import MemoryRecord
    from tfmagic.runtime.memory.policy import PolicyRecord

_NOT_REPORTED = "not reported by this allocator"


class MemoryPage(Page):
    """Memory as three tables: the process, its devices, its models."""

    def __init__(self, record: MemoryRecord) -> None:
        self.record = record

    def parts(self) -> list[Table]:
        """Return the tables, those that have any rows."""
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
            (device["name"], reported_text(device["used_bytes"]), reported_text(device["peak_bytes"]))
            for device in record["devices"]
        ]
        models = [
            (
                model["name"],
                model["state"],
                bytes_text(model["weights_bytes"]),
                bytes_text(model["constants_bytes"]),
                bytes_text(model["held_bytes"]),
                bytes_text(model["grew_bytes"]),
                peak_text(model["run_peak_bytes"], awaits_trace=model["peak_awaits_trace"]),
            )
            for model in record["models"]
        ]
        tables = [Table(("process", ""), rows)]
        if devices:
            tables.append(Table(("device", "used", "peak"), devices))
        if models:
            headings = ("model", "state", "variables", "constants", "held now", "process grew by", "peak of a run")
            tables.append(Table(headings, models))
        return tables


def reported_text(count: int | None) -> str:
    """Return what an allocator reports, in bytes."""
    return _NOT_REPORTED if count is None else bytes_text(count)


def policy_rows(policy: PolicyRecord) -> list[tuple[str, str]]:
    """Return the rows about the memory policy and what was set for it."""
    name = policy["in_force"] if policy["in_force"] == policy["asked"] else f"{policy['asked']}, {policy['in_force']}"
    variables = [f"{name}={value}" for name, value in policy["variables"].items()]
    return [
        ("memory policy", f'"{name}": {policy["why"]}'),
        ("set for it", "\n".join([*variables, *policy["calls"]]) or "nothing"),
        (
            "trimmed from",
            f"{bytes_text(policy['trim_threshold_bytes'])} of free memory on, after and between cells",
        ),
    ]
