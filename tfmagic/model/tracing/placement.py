"""Placement: the requested and actual device of each operation and variable, as a real run has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.runtime.tracing.partition_graphs import (
    PlacedOperation,
    requested_device,
    was_moved,
)
from tfmagic.runtime.tracing.step_stats import short_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tfmagic.execution.room.variables import VariableRecord
    from tfmagic.model.tracing.trace import Trace


class PlacedOperationRecord(TypedDict):
    """One operation of a run. None stands for what is not known.

    Attributes
    ----------
    name, type
        As TensorFlow ran it: one operation may have replaced several.
    requested
        The requested device; None where none was.
    actual
        The device that it ran on, from the run's partition graphs.
    moved
        Whether it ran on another device than the requested one.
    share
        The part of the time of all operations.
    """

    name: str
    type: str
    requested: str | None
    actual: str
    moved: bool
    share: float | None


class PlacedVariableRecord(TypedDict):
    """One variable; its actual device is None where the run did not use it."""

    name: str
    dtype: str
    shape: list[int | None] | None
    size_bytes: int | None
    requested: str | None
    actual: str | None
    moved: bool


class PlacedDeviceRecord(TypedDict):
    """The operations and variables of a run on one device.

    Attributes
    ----------
    bytes
        The size of the variables there; None where one of them has no fixed shape.
    share
        Of the time of all operations together, where it was measured.
    """

    device: str
    operations: int
    variables: int
    bytes: int | None
    share: float | None


class PlacementRecord(TypedDict):
    """Where a model is. None stands for what is not known.

    Attributes
    ----------
    known_from
        The run that has shown it; None where none has, and `note` says why.
    devices
        The busiest first.
    operations
        The moved ones first, then the slowest.
    shown, total
        How many operations are given, and how many there are.
    moved
        How many operations and variables are on another device than the requested one.
    """

    schema: int
    model: str
    known_from: str | None
    note: str | None
    devices: list[PlacedDeviceRecord] | None
    operations: list[PlacedOperationRecord]
    variables: list[PlacedVariableRecord]
    shown: int
    total: int
    moved: int | None


class Placement:
    """The devices that one run has shown: `known_from` says which run.

    `operations` ran, and `requested` are the devices that the graph asks for, both by operation
    name. With `eager`, the records of the variables have their actual devices.
    """

    def __init__(
        self,
        operations: Mapping[str, PlacedOperation],
        requested: Mapping[str, str],
        trace: Trace,
        variables: Iterable[VariableRecord],
        *,
        eager: bool,
    ) -> None:
        times_s: dict[str, float] = {}
        for execution in trace.executions:
            # Without the transfers between devices, which are on neither.
            if execution.name in operations:
                times_s[execution.name] = times_s.get(execution.name, 0.0) + execution.time_s
        total_s = sum(times_s.values())
        self.operations: list[PlacedOperationRecord] = [
            {
                "name": operation.name,
                "type": operation.type,
                "requested": short_device(requested_device(requested, operation.name) or "") or None,
                "actual": operation.device,
                "moved": was_moved(requested_device(requested, operation.name), operation.device),
                "share": times_s.get(operation.name, 0.0) / total_s if total_s else None,
            }
            for operation in operations.values()
        ]
        self.operations.sort(key=lambda record: (not record["moved"], -(record["share"] or 0.0)))
        self.variables = [_variable(variable, operations, requested, eager=eager) for variable in variables]
        self.devices = _by_device(self.operations, self.variables)
        self.known_from = "its last traced run"
        self.moved = sum(record["moved"] for record in (*self.operations, *self.variables))

    def record(self, model: str, most: int | None = None) -> PlacementRecord:
        """Return the placement as plain data, with at most so many operations."""
        shown = self.operations[:most]
        return {
            **unknown(model, None),
            "known_from": self.known_from,
            "devices": self.devices,
            "operations": shown,
            "variables": self.variables,
            "shown": len(shown),
            "total": len(self.operations),
            "moved": self.moved,
        }


def unknown(model: str, note: str | None) -> PlacementRecord:
    """Return the record of a model whose placement no run has shown; `note` says why."""
    return {
        "schema": 1,
        "model": model,
        "known_from": None,
        "note": note,
        "devices": None,
        "operations": [],
        "variables": [],
        "shown": 0,
        "total": 0,
        "moved": None,
    }


def _variable(
    record: VariableRecord, operations: Mapping[str, PlacedOperation], requested: Mapping[str, str], *, eager: bool
) -> PlacedVariableRecord:
    name, device = record["name"], record["device"]
    handle = operations.get(name)
    actual = device if eager else (None if handle is None else handle.device)
    return {
        "name": name,
        "dtype": record["dtype"],
        "shape": record["shape"],
        "size_bytes": record["size_bytes"],
        "requested": None if eager else device,
        "actual": actual,
        "moved": not eager and was_moved(requested.get(name), actual),
    }


def _by_device(
    operations: Iterable[PlacedOperationRecord], variables: Iterable[PlacedVariableRecord]
) -> list[PlacedDeviceRecord]:
    records: dict[str, PlacedDeviceRecord] = {}

    def on(device: str) -> PlacedDeviceRecord:
        empty: PlacedDeviceRecord = {"device": device, "operations": 0, "variables": 0, "bytes": 0, "share": None}
        return records.setdefault(device, empty)

    for operation in operations:
        place = on(operation["actual"])
        place["operations"] += 1
        if operation["share"] is not None:
            place["share"] = (place["share"] or 0.0) + operation["share"]
    for variable in variables:
        if variable["actual"] is not None:
            place = on(variable["actual"])
            place["variables"] += 1
            known = place["bytes"] is not None and variable["size_bytes"] is not None
            place["bytes"] = place["bytes"] + variable["size_bytes"] if known else None  # type: ignore[operator]
    return sorted(records.values(), key=lambda place: (-(place["share"] or 0.0), place["device"]))
