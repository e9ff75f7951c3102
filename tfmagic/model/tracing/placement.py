"""Where each operation and variable of a model was asked to be, and where it is: as a real run has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.runtime.tracing.partition_graphs import (
    PlacedOperation,
    placed_operations,
    requested_device,
    requested_devices,
    was_moved,
)
from tfmagic.runtime.tracing.step_stats import short_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.room.variables import VariableRecord
    from tfmagic.model.tracing.trace import Trace


class PlacedOperationRecord(TypedDict):
    """One operation of a run. None stands for what is not known.

    Attributes
    ----------
    name, type
        As TensorFlow ran it: it may have put one operation in the place of several.
    requested
        The device that was asked for; None where none was.
    actual
        The device that it ran on, from the run's partition graphs.
    moved
        Whether it ran on another device than was asked for.
    share
        Of the time of all operations together.
    """

    name: str
    type: str
    requested: str | None
    actual: str
    moved: bool
    share: float | None


class PlacedVariableRecord(TypedDict):
    """One variable. None stands for what is not known: where it lies, when the run did not reach it."""

    name: str
    dtype: str
    shape: list[int | None] | None
    size_bytes: int | None
    requested: str | None
    actual: str | None
    moved: bool


class PlacedDeviceRecord(TypedDict):
    """What a run had on one device.

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
        Which run has shown it; None where none has, and `note` says why.
    devices
        The busiest first.
    operations
        Those that were moved first, then the slowest.
    shown, total
        How many operations are given, and how many there are.
    moved
        How many operations and variables are on another device than was asked for.
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
    """What one run has shown of where a model is.

    Parameters
    ----------
    operations
        What ran, by name.
    asked
        The devices that the operations of the graph ask for, by name.
    trace
        The run's trace.
    variables
        The model's.
    eager
        Whether the variables tell themselves where they are.

    Attributes
    ----------
    known_from
        Which run that was.
    """

    def __init__(
        self,
        operations: Mapping[str, PlacedOperation],
        asked: Mapping[str, str],
        trace: Trace,
        variables: Iterable[VariableRecord],
        *,
        eager: bool,
    ) -> None:
        times_s: dict[str, float] = {}
        for one in trace.executions:
            # Not what carries a value from one device to another: that is on neither.
            if one.name in operations:
                times_s[one.name] = times_s.get(one.name, 0.0) + one.time_s
        total_s = sum(times_s.values())
        self.operations: list[PlacedOperationRecord] = [
            {
                "name": one.name,
                "type": one.type,
                "requested": short_device(requested_device(asked, one.name) or "") or None,
                "actual": one.device,
                "moved": was_moved(requested_device(asked, one.name), one.device),
                "share": times_s.get(one.name, 0.0) / total_s if total_s else None,
            }
            for one in operations.values()
        ]
        self.operations.sort(key=lambda one: (not one["moved"], -(one["share"] or 0.0)))
        self.variables = [_variable(one, operations, asked, eager=eager) for one in variables]
        self.devices = _by_device(self.operations, self.variables)
        self.known_from = "its last traced run"
        self.moved = sum(one["moved"] for one in (*self.operations, *self.variables))

    def record(self, model: str, most: int | None = None) -> PlacementRecord:
        """Return it as plain data, with so many operations at most."""
        return {
            "schema": 1,
            "model": model,
            "known_from": self.known_from,
            "note": None,
            "devices": self.devices,
            "operations": self.operations[:most],
            "variables": self.variables,
            "shown": len(self.operations[:most]),
            "total": len(self.operations),
            "moved": self.moved,
        }


def unknown(model: str, why: str) -> PlacementRecord:
    """Return what is to be said of a model when no run has shown where it is."""
    return {
        "schema": 1,
        "model": model,
        "known_from": None,
        "note": why,
        "devices": None,
        "operations": [],
        "variables": [],
        "shown": 0,
        "total": 0,
        "moved": None,
    }


def placement_of_graph(trace: Trace, backend: Backend) -> Placement:
    """Return what a traced run of a graph has shown."""
    return Placement(
        placed_operations(trace.partition_graphs),
        requested_devices(backend.graph),
        trace,
        backend.weights().by_variable,
        eager=False,
    )


def _variable(
    one: VariableRecord, operations: Mapping[str, PlacedOperation], asked: Mapping[str, str], *, eager: bool
) -> PlacedVariableRecord:
    handle = operations.get(one["name"])
    actual = one["device"] if eager else (None if handle is None else handle.device)
    return {
        "name": one["name"],
        "dtype": one["dtype"],
        "shape": one["shape"],
        "size_bytes": one["size_bytes"],
        "requested": None if eager else one["device"],
        "actual": actual,
        "moved": not eager and was_moved(asked.get(one["name"]), actual),
    }


def _by_device(
    operations: Iterable[PlacedOperationRecord], variables: Iterable[PlacedVariableRecord]
) -> list[PlacedDeviceRecord]:
    found: dict[str, PlacedDeviceRecord] = {}

    def on(device: str) -> PlacedDeviceRecord:
        return found.setdefault(device, {"device": device, "operations": 0, "variables": 0, "bytes": 0, "share": None})

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
    return sorted(found.values(), key=lambda place: (-(place["share"] or 0.0), place["device"]))
