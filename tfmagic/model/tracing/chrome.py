"""A trace as JSON for Perfetto and chrome://tracing, for runs of which TensorFlow writes none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.tracing.step_stats import Execution


def chrome_events(executions: Sequence[Execution]) -> str:
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
