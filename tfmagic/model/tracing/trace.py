"""Where the time of one run went: operations, devices, bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.concurrency.entry_point import hide_own_frames
from tfmagic.errors import PathTakenError
from tfmagic.formats.common.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.runtime.tracing.step_stats import Execution, RunProfile

# So many operations are worth a line each.
_SHOWN = 20


class OperationRecord(TypedDict):
    """All executions of one operation. None stands for what was not recorded.

    Attributes
    ----------
    count
        How many executions: several inside a loop.
    time_s
        The duration of all executions together.
    share
        The part of the time of all operations.
    allocated_bytes
        The memory that it took from the allocator.
    output_bytes
        The size of its outputs.
    """

    name: str
    type: str
    device: str | None
    count: int
    time_s: float
    share: float
    allocated_bytes: int | None
    output_bytes: int | None


class TracedDeviceRecord(TypedDict):
    """All operations on one device; None stands for an unknown device."""

    device: str | None
    operations: int
    time_s: float
    allocated_bytes: int | None


class TraceRecord(TypedDict):
    """A trace as plain data.

    Attributes
    ----------
    wall_s
        The duration of the whole run; the times of parallel operations add up to more.
    operations
        The longest first.
    shown
        How many of them are worth a line each.
    rest
        The others together, None if there are none; type and device are empty where
        they differ.
    devices
        The busiest first.
    """

    model: str
    mode: str
    wall_s: float
    operations: list[OperationRecord]
    shown: int
    rest: OperationRecord | None
    devices: list[TracedDeviceRecord]


class Trace:
    """Where the time of one run went.

    Attributes
    ----------
    wall_s : float
        The duration of the run.
    executions : list of Execution
        Each execution of an operation, in the order of their beginnings.
    peak_bytes : int or None
        The peak memory of the run, without the weights; None where it was not recorded,
        as for a live object.
    partition_graphs : Sequence of GraphDef
        The graphs of the run, one for each device; none for a live object.
    """

    def __init__(self, model: str, mode: str, profile: RunProfile) -> None:
        self.model = model
        self.mode = mode
        self.wall_s = profile.wall_s
        self.executions = sorted(profile.executions, key=lambda execution: execution.start_ns)
        self.peak_bytes = profile.peak_bytes
        self.partition_graphs = profile.partition_graphs
        self._chrome = profile.chrome
        self._total_s = sum(execution.time_s for execution in self.executions)

    @property
    def operations(self) -> list[OperationRecord]:
        """The operations, the longest first."""
        by_operation: dict[tuple[str, str, str | None], list[Execution]] = {}
        for run in self.executions:
            by_operation.setdefault((run.name, run.type, run.device), []).append(run)
        records = [self._together(runs, *operation) for operation, runs in by_operation.items()]
        return sorted(records, key=lambda record: -record["time_s"])

    @property
    def devices(self) -> list[TracedDeviceRecord]:
        """The operations of each device together, the busiest device first."""
        by_device: dict[str | None, list[Execution]] = {}
        for run in self.executions:
            by_device.setdefault(run.device, []).append(run)
        records: list[TracedDeviceRecord] = [
            {
                "device": device,
                "operations": len({(run.name, run.type) for run in runs}),
                "time_s": sum(run.time_s for run in runs),
                "allocated_bytes": _sum_of_known(run.allocated_bytes for run in runs),
            }
            for device, runs in by_device.items()
        ]
        return sorted(records, key=lambda record: -record["time_s"])

    def record(self) -> TraceRecord:
        """Return the trace as plain data."""
        operations = self.operations
        return {
            "model": self.model,
            "mode": self.mode,
            "wall_s": self.wall_s,
            "operations": operations,
            "shown": min(_SHOWN, len(operations)),
            "rest": self._together_without(operations[:_SHOWN]),
            "devices": self.devices,
        }

    @hide_own_frames
    def save(self, path: Any, *, replace: bool = False) -> Path:
        """Write the trace as JSON for Perfetto (https://ui.perfetto.dev) or chrome://tracing.

        Parameters
        ----------
        path
            The file, for example ``trace.json``.
        replace
            Whether an existing file may be replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        PathTakenError
            When the file exists, and `replace` is false.
        DestinationError
            When the file cannot be written.
        """
        file = Path(path).expanduser()
        if file.exists() and not replace:
            msg = f"there is something at {file} already: choose another name, or say replace=True"
            raise PathTakenError(msg)
        text = self._chrome() or _chrome_events(self.executions)
        with Destination(file, folder=False, replace=True).written() as temporary:
            temporary.write_text(text)
        return file

    def _together(self, runs: Sequence[Execution], name: str, kind: str, device: str | None) -> OperationRecord:
        time_s = sum(run.time_s for run in runs)
        return {
            "name": name,
            "type": kind,
            "device": device,
            "count": len(runs),
            "time_s": time_s,
            "share": time_s / self._total_s if self._total_s else 0.0,
            "allocated_bytes": _sum_of_known(run.allocated_bytes for run in runs),
            "output_bytes": _sum_of_known(run.output_bytes for run in runs),
        }

    def _together_without(self, records: Sequence[OperationRecord]) -> OperationRecord | None:
        shown = {(record["name"], record["type"], record["device"]) for record in records}
        others = [run for run in self.executions if (run.name, run.type, run.device) not in shown]
        if not others:
            return None
        kinds, devices = {run.type for run in others}, {run.device for run in others}
        device = devices.pop() if len(devices) == 1 else ""
        return self._together(others, "", kinds.pop() if len(kinds) == 1 else "", device)

    def __repr__(self) -> str:
        """Return one line for a person."""
        return f"<trace of {self.model}: {len(self.operations)} operations in {self.wall_s:.3g} s>"


def _sum_of_known(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _chrome_events(executions: Sequence[Execution]) -> str:
    """Return executions as JSON, with a process for each device and a thread for each lane."""
    devices = {device: pid for pid, device in enumerate(dict.fromkeys(run.device for run in executions))}
    placed = list(zip(executions, _lanes(executions), strict=True))
    lanes = {place: tid for tid, place in enumerate(dict.fromkeys((run.device, lane) for run, lane in placed))}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": device or "device unknown"}}
        for device, pid in devices.items()
    ]
    events += [
        {"ph": "M", "name": "thread_name", "pid": devices[device], "tid": tid, "args": {"name": lane}}
        for (device, lane), tid in lanes.items()
    ]
    events += [
        {
            "ph": "X",
            "cat": "Op",
            "name": run.type,
            "pid": devices[run.device],
            "tid": lanes[run.device, lane],
            "ts": run.start_ns / 1000,
            "dur": run.time_s * 1e6,
            "args": {"name": run.name, "op": run.type},
        }
        for run, lane in placed
    ]
    return json.dumps({"traceEvents": events})


def _lanes(executions: Sequence[Execution]) -> list[str]:
    """Return the lane of each execution; those without one share as few lanes as possible without overlapping."""
    free_from: dict[str | None, list[float]] = {}
    lanes: list[str] = []
    for run in executions:
        ends = free_from.setdefault(run.device, [])
        if run.lane:
            lanes.append(run.lane)
            continue
        lane = next((number for number, end in enumerate(ends) if end <= run.start_ns), len(ends))
        ends[lane : lane + 1] = [run.start_ns + run.time_s * 1e9]
        lanes.append(f"lane {lane + 1}")
    return lanes
