"""Executions in the form that Perfetto and chrome://tracing read, where TensorFlow draws none itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.tracing.step_stats import Execution


def chrome_events(executions: Sequence[Execution]) -> str:
    """Return executions as Chrome's JSON: a process a device, a thread a lane."""
    devices = {device: number for number, device in enumerate(dict.fromkeys(one.device for one in executions))}
    placed = list(zip(executions, _lanes(executions), strict=True))
    lanes = {which: number for number, which in enumerate(dict.fromkeys((one.device, lane) for one, lane in placed))}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": number, "args": {"name": device or "device unknown"}}
        for device, number in devices.items()
    ]
    events += [
        {"ph": "M", "name": "thread_name", "pid": devices[device], "tid": number, "args": {"name": lane}}
        for (device, lane), number in lanes.items()
    ]
    events += [
        {
            "ph": "X",
            "cat": "Op",
            "name": one.type,
            "pid": devices[one.device],
            "tid": lanes[one.device, lane],
            "ts": one.start_ns / 1000,
            "dur": one.time_s * 1e6,
            "args": {"name": one.name, "op": one.type},
        }
        for one, lane in placed
    ]
    return json.dumps({"traceEvents": events})


def _lanes(executions: Sequence[Execution]) -> list[str]:
    """Return the lane of each execution; those that have none share as few as they can without overlapping."""
    free_from: dict[str | None, list[float]] = {}
    lanes: list[str] = []
    for one in executions:
        ends = free_from.setdefault(one.device, [])
        if one.lane:
            lanes.append(one.lane)
            continue
        at = next((number for number, end in enumerate(ends) if end <= one.start_ns), len(ends))
        ends[at : at + 1] = [one.start_ns + one.time_s * 1e9]
        lanes.append(f"lane {at + 1}")
    return lanes
