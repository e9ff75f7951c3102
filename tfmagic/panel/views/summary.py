"""``%tf_runtime``: the snapshot as tables, also in place of the panel where there is no front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text, counted, seconds_text
from tfmagic.panel.views.memory import policy_rows, reported_text
from tfmagic.panel.views.model_pages import ends_text
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.model.record import ModelRow
    from tfmagic.panel.snapshot.snapshot import Snapshot
    from tfmagic.runtime.libraries.timeline import LibrariesSummary
    from tfmagic.runtime.native_log.entries import LogSummary
    from tfmagic.runtime.session.devices import DeviceRecord


class Summary(Page):
    """A snapshot as three tables: the runtime, its devices, its models."""

    def __init__(self, record: Snapshot) -> None:
        self.record = record

    def _runtime(self) -> Table:
        record = self.record
        process, versions, sampler = record["process"], record["versions"], record["sampler"]
        parts = [
            f"{bytes_text(process['private_bytes'])} private",
            f"{bytes_text(process['shared_bytes'])} its part of what is shared",
        ]
        limit = process["limit_bytes"]
        if limit is not None:
            parts.append(f"{bytes_text(process['limit_used_bytes'])} of the container's {bytes_text(limit)} used")
        budgets = [
            f"{bytes_text(size)} on {device.lower()}" if device else bytes_text(size)
            for device, size in record["budget"]["limits"].items()
        ]
        sessions = record["session"]["native_sessions"]
        rows = [
            ("TensorFlow", versions["tensorflow"] or "not imported yet"),
            ("Keras", versions["keras"] or "not imported yet"),
            ("Python, tfmagic", f"{versions['python']}, {versions['tfmagic']}"),
            (
                "process",
                f"{record['kernel']['pid']}, {counted(process['threads'], 'thread')}, {_share(process['cpu_share'])}",
            ),
            ("memory", f"{bytes_text(process['rss_bytes'])} resident ({', '.join(parts)})"),
            *policy_rows(record["policy"]),
            ("memory_budget", ", ".join(budgets) or "none"),
            ("libraries", _libraries(record["libraries"])),
            ("log", _log(record["log"])),
            ("session", f"{counted(sessions, 'native session')}, one a graph"),
            ("sampler", f"every {sampler['interval_s']:g} s, {_cost(sampler['share'])}"),
        ]
        return Table(("runtime", ""), rows)

    def parts(self) -> list[Table]:
        """Return the tables, those that have any rows."""
        return [
            self._runtime(),
            *([device_table(self.record["devices"])] if self.record["devices"] else []),
            *([_models(self.record["models"])] if self.record["models"] else []),
        ]


class DevicePage(Page):
    """``%tf_runtime devices``."""

    def __init__(self, records: Sequence[DeviceRecord]) -> None:
        self.records = list(records)

    def parts(self) -> list[Table | str]:
        """Return the table, or why there is none."""
        return [device_table(self.records) if self.records else _NO_DEVICES]


def device_table(records: Sequence[DeviceRecord]) -> Table:
    """Return a table of devices."""
    rows = [
        (
            device["name"],
            device["physical"] or UNKNOWN,
            device["description"] or UNKNOWN,
            "none" if device["kind"] == "CPU" else bytes_text(device["memory_limit_bytes"]),
            reported_text(device["used_bytes"]),
            reported_text(device["peak_bytes"]),
        )
        for device in records
    ]
    return Table(("device", "part of", "what it is", "limit", "used", "peak"), rows)


def _models(rows: Sequence[ModelRow]) -> Table:
    return Table(
        (
            "model",
            "kind",
            "state",
            "takes",
            "gives",
            "size",
            "calls",
            "last call",
            "median",
            "runs on",
            "last error",
        ),
        [
            (
                row["name"],
                row["kind"],
                row["state"],
                ends_text(row["signature"], "inputs"),
                ends_text(row["signature"], "outputs"),
                bytes_text(row["size_bytes"]),
                str(row["calls"]),
                seconds_text(row["last_latency_s"]),
                seconds_text(row["median_latency_s"]),
                _where(row),
                row["last_error"] or "",
            )
            for row in rows
        ],
    )


def _where(row: ModelRow) -> str:
    if row["devices"] is None:
        return UNKNOWN
    where = ", ".join(device["device"] for device in row["devices"])
    return f"{where} ({row['moved']} not where asked for)" if row["moved"] else where


def _libraries(summary: LibrariesSummary) -> str:
    parts = [
        f"{counted(summary['count'], 'shared object')}, {summary['of_tensorflow']} brought by TensorFlow",
        f"{summary['since_load']} since %load_ext",
    ]
    if summary["duplicates"]:
        parts.append(f"{summary['duplicates']} more than once")
    if summary["loads"] is not None:
        parts.append(f"{summary['loads']} ever loaded and {summary['unloads']} unloaded")
    return ", ".join(parts)


def _log(summary: LogSummary) -> str:
    counts = f"{counted(summary['warnings'], 'warning')}, {counted(summary['errors'], 'error')}"
    return f"{counted(summary['entries'], 'message')}, {counts} (%tf_runtime log)"


def _share(share: float | None) -> str:
    return "cores in use: unknown yet" if share is None else f"{share:.2f} cores in use"


def _cost(share: float | None) -> str:
    return "its cost is not known yet" if share is None else f"{share:.2%} of a core"


_NO_DEVICES = "TensorFlow has not made its devices yet: they are there after the first run"
