"""``%tf_runtime``: the snapshot as tables, also in place of the panel where there is no front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.units import UNKNOWN, bytes_text, counted, seconds_text
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.model_pages import ends_text, where_text
from tfmagic.panel.views.runtime_pages import limits_text, policy_rows, reported_text
from tfmagic.panel.views.view import ListPage, Page

if TYPE_CHECKING:
    from tfmagic.model.record import ModelRow
    from tfmagic.panel.drawing.table import Columns
    from tfmagic.panel.snapshot.snapshot import Snapshot
    from tfmagic.runtime.libraries.timeline import LibrariesSummary
    from tfmagic.runtime.session.devices import DeviceRecord


_NO_DEVICES = "TensorFlow has not made its devices yet: they are there after the first run"
_DEVICES: Columns[DeviceRecord] = {
    "device": lambda device: device["name"],
    "part of": lambda device: device["physical"] or UNKNOWN,
    "what it is": lambda device: device["description"] or UNKNOWN,
    "limit": lambda device: "none" if device["kind"] == "CPU" else bytes_text(device["memory_limit_bytes"]),
    "used": lambda device: reported_text(device["used_bytes"]),
    "peak": lambda device: reported_text(device["peak_bytes"]),
}
_MODELS: Columns[ModelRow] = {
    "model": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "state": lambda row: row["state"],
    "takes": lambda row: ends_text(row["signature"], "inputs"),
    "gives": lambda row: ends_text(row["signature"], "outputs"),
    "size": lambda row: bytes_text(row["size_bytes"]),
    "calls": lambda row: str(row["calls"]),
    "last call": lambda row: seconds_text(row["last_latency_s"]),
    "median": lambda row: seconds_text(row["median_latency_s"]),
    "runs on": where_text,
    "last error": lambda row: row["last_error"] or "",
}


class Summary(Page["Snapshot"]):
    """A snapshot as three tables: the runtime, its devices, its models."""

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
        log = ", ".join(
            [
                counted(record["log"]["entries"], "message"),
                counted(record["log"]["warnings"], "warning"),
                counted(record["log"]["errors"], "error"),
            ]
        )
        sessions = record["session"]["native_sessions"]
        cores, cost = process["cpu_share"], sampler["share"]
        in_use = "cores in use: unknown yet" if cores is None else f"{cores:.2f} cores in use"
        its_cost = "its cost is not known yet" if cost is None else f"{cost:.2%} of a core"
        rows = [
            ("TensorFlow", versions["tensorflow"] or "not imported yet"),
            ("Keras", versions["keras"] or "not imported yet"),
            ("Python, tfmagic", f"{versions['python']}, {versions['tfmagic']}"),
            ("process", f"{record['kernel']['pid']}, {counted(process['threads'], 'thread')}, {in_use}"),
            ("memory", f"{bytes_text(process['rss_bytes'])} resident ({', '.join(parts)})"),
            *policy_rows(record["policy"]),
            ("memory_budget", limits_text(record["budget"]["limits"]) or "none"),
            ("libraries", _libraries(record["libraries"])),
            ("log", f"{log} (%tf_runtime log)"),
            ("session", f"{counted(sessions, 'native session')}, one a graph"),
            ("sampler", f"every {sampler['interval_s']:g} s, {its_cost}"),
        ]
        return Table(("runtime", ""), rows)

    def parts(self) -> list[Table]:
        """Return the tables, those that have any rows."""
        return [
            self._runtime(),
            *([Table.of(self.record["devices"], _DEVICES)] if self.record["devices"] else []),
            *([Table.of(self.record["models"], _MODELS)] if self.record["models"] else []),
        ]


class DevicePage(ListPage["DeviceRecord"]):
    """``%tf_runtime devices``."""

    def parts(self) -> list[Table | str]:
        """Return the table, or why there is none."""
        return [Table.of(self.record, _DEVICES) if self.record else _NO_DEVICES]


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
