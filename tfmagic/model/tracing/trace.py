"""Where the time of one run went: operations, devices, bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.concurrency.entry_point import hide_own_frames
from tfmagic.errors import PathTakenError
from tfmagic.formats.common.destination import Destination
from tfmagic.model.tracing.chrome import chrome_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.runtime.tracing.step_stats import Execution, RunProfile


_SHOWN = 20


class OperationRecord(TypedDict):
    """All executions of one operation. None stands for what was not recorded.

    Attributes
    ----------
    name, type, device
        Which operation, and where it ran.
    count
        How often; more than once inside a loop.
    time_s
        How long in all.
    share
        Of the time of all operations together.
    allocated_bytes
        What it took from the allocator.
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
    """Everything that ran on one device; of None it is not known where it ran."""

    device: str | None
    operations: int
    time_s: float
    allocated_bytes: int | None


class TraceRecord(TypedDict):
    """A trace as plain data.

    Attributes
    ----------
    model
        Whose run it was.
    wall_s
        How long the whole run took; operations that ran side by side add up to more.
    operations
        The longest first.
    shown
        How many of them are worth a line each.
    rest
        The others together, None where there are none; of no type or device where
        they have several.
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

    Parameters
    ----------
    model, mode
        Whose run it was, and how the model runs.
    profile
        What TensorFlow recorded of the run.

    Attributes
    ----------
    wall_s : float
        How long the run took.
    executions : list of Execution
        Each execution, in the order in which they began.
    peak_bytes : int or None
        The most memory that the run took at one time, beside the weights; None where
        that was not recorded, as for a live object.
    partition_graphs : sequence of GraphDef
        The graphs that the run was cut into, one a device; none for a live object.
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
        found: dict[tuple[str, str, str | None], list[Execution]] = {}
        for one in self.executions:
            found.setdefault((one.name, one.type, one.device), []).append(one)
        records = [self._together(several, *which) for which, several in found.items()]
        return sorted(records, key=lambda record: -record["time_s"])

    @property
    def devices(self) -> list[TracedDeviceRecord]:
        """What ran on each device, the busiest first."""
        found: dict[str | None, list[Execution]] = {}
        for one in self.executions:
            found.setdefault(one.device, []).append(one)
        records: list[TracedDeviceRecord] = [
            {
                "device": device,
                "operations": len({(one.name, one.type) for one in several}),
                "time_s": sum(one.time_s for one in several),
                "allocated_bytes": _total(one.allocated_bytes for one in several),
            }
            for device, several in found.items()
        ]
        return sorted(records, key=lambda record: -record["time_s"])

    def record(self) -> TraceRecord:
        """Return the trace as plain data."""
        return {
            "model": self.model,
            "mode": self.mode,
            "wall_s": self.wall_s,
            "operations": self.operations,
            "shown": min(_SHOWN, len(self.operations)),
            "rest": self._rest(),
            "devices": self.devices,
        }

    @hide_own_frames
    def save(self, path: Any, *, replace: bool = False) -> Path:
        """Write the trace as JSON for Perfetto (https://ui.perfetto.dev) or chrome://tracing.

        Parameters
        ----------
        path
            The file, ``trace.json`` for instance.
        replace
            Whether a file that is there already may be replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        PathTakenError
            When there is something, and `replace` does not allow it to go.
        DestinationError
            When the file cannot be written.
        """
        file = Path(path).expanduser()
        if file.exists() and not replace:
            msg = f"there is something at {file} already: choose another name, or say replace=True"
            raise PathTakenError(msg)
        text = self._chrome() or chrome_events(self.executions)
        destination = Destination(file, folder=False, replace=True)
        with destination.written() as beside:
            beside.write_text(text)
        return file

    def _together(self, several: Sequence[Execution], name: str, kind: str, device: str | None) -> OperationRecord:
        time_s = sum(one.time_s for one in several)
        return {
            "name": name,
            "type": kind,
            "device": device,
            "count": len(several),
            "time_s": time_s,
            "share": time_s / self._total_s if self._total_s else 0.0,
            "allocated_bytes": _total(one.allocated_bytes for one in several),
            "output_bytes": _total(one.output_bytes for one in several),
        }

    def _rest(self) -> OperationRecord | None:
        first = {(one["name"], one["type"], one["device"]) for one in self.operations[:_SHOWN]}
        others = [one for one in self.executions if (one.name, one.type, one.device) not in first]
        if not others:
            return None
        kinds, devices = {one.type for one in others}, {one.device for one in others}
        device = devices.pop() if len(devices) == 1 else ""
        return self._together(others, "", kinds.pop() if len(kinds) == 1 else "", device)

    def __repr__(self) -> str:
        """Say what was traced."""
        return f"<trace of {self.model}: {len(self.operations)} operations in {self.wall_s:.3g} s>"


def _total(counts: Iterable[int | None]) -> int | None:
    """Return the sum of what is known; None where nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
