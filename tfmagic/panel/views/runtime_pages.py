"""``%tf_runtime memory``, ``log`` and ``config``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tfmagic.core.units import UNKNOWN, bytes_text
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tfmagic.model.memory_record import MemoryRecord
    from tfmagic.model.record import ModelRecord
    from tfmagic.panel.drawing.table import Columns
    from tfmagic.runtime.memory.policy import PolicyRecord
    from tfmagic.runtime.native_log.entries import LogRecord
    from tfmagic.runtime.native_log.log import NativeLogRecord
    from tfmagic.runtime.session.config_record import ConfigurationRecord
    from tfmagic.runtime.session.devices import DeviceRecord

_DEVICE_MEMORY: Columns[DeviceRecord] = {
    "device": lambda device: device["name"],
    "used": lambda device: reported_text(device["used_bytes"]),
    "peak": lambda device: reported_text(device["peak_bytes"]),
}
_MODEL_MEMORY: Columns[ModelRecord] = {
    "model": lambda model: model["name"],
    "state": lambda model: model["state"],
    "variables": lambda model: bytes_text(model["weights_bytes"]),
    "constants": lambda model: bytes_text(model["constants_bytes"]),
    "held now": lambda model: bytes_text(model["held_bytes"]),
    "process grew by": lambda model: bytes_text(model["grew_bytes"]),
    "peak of a run": lambda model: peak_text(model["run_peak_bytes"], awaits_trace=model["peak_awaits_trace"]),
}
_LOG: Columns[LogRecord] = {
    "last": lambda entry: clock_text(entry["last_s"]),
    "times": lambda entry: str(entry["count"]),
    "severity": lambda entry: entry["severity"],
    "model": lambda entry: entry["model"] or "",
    "source": lambda entry: entry["source"],
    "message": lambda entry: entry["text"],
}


class MemoryPage(Page["MemoryRecord"]):
    """Memory as three tables: the process, its devices, its models."""

    def parts(self) -> Iterator[Table]:
        """Yield the tables that have any rows."""
        record = self.record
        process, limit = record["process"], record["process"]["limit_bytes"]
        no_budget = "none: no container's limit" if record["budget"] else "none"
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
            ("memory_budget", limits_text(record["budget_limits"]) or no_budget),
            *policy_rows(record["policy"]),
        ]
        yield Table(("process", ""), rows)
        if record["devices"]:
            yield Table.of(record["devices"], _DEVICE_MEMORY)
        if record["models"]:
            yield Table.of(record["models"], _MODEL_MEMORY)


class LogPage(Page["NativeLogRecord"]):
    """The messages that TensorFlow wrote to stderr, as a table in the order in which they first came."""

    gap = "\n"

    def parts(self) -> Iterator[Table | str]:
        """Yield the table, and remarks on what is missing in it."""
        record = self.record
        if record["entries"]:
            yield Table.of(record["entries"], _LOG)
        if record["mode"] == "off":
            yield 'the log is off: %config TfMagic.native_log = "capture" begins it'
        if record["let_go"]:
            yield f"{record['let_go']} older messages made room for newer ones and are not here"
        if not record["entries"]:
            yield "nothing here: TensorFlow has written nothing of the kind since the log began or was last cleared"


class ConfigurationPage(Page["ConfigurationRecord"]):
    """How native sessions are made: whether that can still be changed, and a table of what is set."""

    def parts(self) -> Iterator[Table | str]:
        """Yield a sentence and the table."""
        record = self.record
        if not record["imported"]:
            yield "TensorFlow is not imported yet: every native session will be made from one configuration."
        elif record["frozen"]:
            yield "Every native session is made from this configuration, for the life of the kernel: a graph has run."
        else:
            yield "Every native session will be made from this configuration; the first graph that runs freezes it."
        rows = [
            *record["fields"].items(),
            *((f"{name} (environment)", value) for name, value in record["variables"].items()),
            *((call, "called") for call in record["calls"]),
        ]
        yield Table(("set", "to"), rows or [("nothing", "TensorFlow's own defaults")])


def clock_text(at_s: float) -> str:
    """Return a time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at_s))


def reported_text(count: int | None) -> str:
    """Return what an allocator reports, in bytes."""
    return "not reported by this allocator" if count is None else bytes_text(count)


def peak_text(count: int | None, *, awaits_trace: bool) -> str:
    """Return the peak of a run; where it is unknown, whether a traced run would tell."""
    return f"{UNKNOWN} until a run with --trace" if awaits_trace else bytes_text(count)


def limits_text(limits: Mapping[str, int]) -> str:
    """Return the limits of a budget, by device."""
    return ", ".join(
        f"{bytes_text(size)} on {device.lower()}" if device else bytes_text(size) for device, size in limits.items()
    )


def policy_rows(policy: PolicyRecord) -> list[tuple[str, str]]:
    """Return the rows about the memory policy and what was set for it."""
    name = policy["in_force"] if policy["in_force"] == policy["asked"] else f"{policy['asked']}, {policy['in_force']}"
    variables = [f"{name}={value}" for name, value in policy["variables"].items()]
    threshold = bytes_text(policy["trim_threshold_bytes"])
    return [
        ("memory policy", f'"{name}": {policy["why"]}'),
        ("set for it", "\n".join([*variables, *policy["calls"]]) or "nothing"),
        ("trimmed from", f"{threshold} of free memory on, after and between cells"),
    ]
