"""The process's memory over time, kept in the kernel for views that are opened later."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.events import events
from tfmagic.core.process import once
from tfmagic.panel.snapshot.snapshot import snapshot

if TYPE_CHECKING:
    from tfmagic.core.events import EventRecord
    from tfmagic.panel.snapshot.snapshot import Snapshot

SCHEMA = 1

# Ten minutes at one second, an hour at ten, a day at a minute.
_SPANS = ((1.0, 600), (10.0, 360), (60.0, 1440))
# A point may come this much early, in seconds.
_EARLY = 0.5
_CHANGES = 5000


class PointRecord(TypedDict):
    """The process at one time.

    Attributes
    ----------
    models_bytes
        What all models that are there hold.
    devices
        What each device's allocator reports, of those that do.
    """

    time_s: float
    rss_bytes: int
    models_bytes: int
    devices: dict[str, int]


class ChangeRecord(TypedDict):
    """A model takes so much from this time on; 0 where it is parked or gone."""

    time_s: float
    model: str
    bytes: int


class HistoryRecord(TypedDict):
    """What was, the oldest first.

    Attributes
    ----------
    points
        One a second of the last ten minutes that were watched, fewer of the time before.
    changes
        What each model takes, where that changed.
    events
        What has happened to models.
    """

    schema: int
    points: list[PointRecord]
    changes: list[ChangeRecord]
    events: list[EventRecord]


class MemoryHistory:
    """Points in three rings, each coarser and longer than the previous; `latest` is None before the first look."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
        self._rings = [deque[PointRecord](maxlen=length) for _, length in _SPANS]
        self._changes: deque[ChangeRecord] = deque(maxlen=_CHANGES)
        self._held: dict[str, int] = {}

    def look(self) -> None:
        """Make a snapshot for the panels that watch, and note what it shows."""
        self.latest = snapshot()
        self.note(self.latest)

    def note(self, record: Snapshot) -> None:
        """Add what a snapshot shows."""
        now_s = record["time_s"]
        held = {row["name"]: row["held_bytes"] for row in record["models"]}
        if held != self._held:
            for name in {**self._held, **held}:
                if self._held.get(name, 0) != held.get(name, 0):
                    self._changes.append({"time_s": now_s, "model": name, "bytes": held.get(name, 0)})
            self._held = held
        point: PointRecord = {
            "time_s": now_s,
            "rss_bytes": record["process"]["rss_bytes"],
            "models_bytes": sum(held.values()),
            "devices": {
                device["name"]: device["used_bytes"] for device in record["devices"] if device["used_bytes"] is not None
            },
        }
        for (interval_s, _), ring in zip(_SPANS, self._rings, strict=True):
            if not ring or now_s - ring[-1]["time_s"] >= interval_s - _EARLY:
                ring.append(point)

    def record(self) -> HistoryRecord:
        """Return everything as plain data."""
        points: list[PointRecord] = []
        for ring in self._rings:
            # The finer ring is complete from its first point on.
            begin_s = points[0]["time_s"] if points else float("inf")
            points = [point for point in list(ring) if point["time_s"] < begin_s] + points
        return {"schema": SCHEMA, "points": points, "changes": list(self._changes), "events": events().records()}


def history() -> MemoryHistory:
    """Return the process's history."""
    return once("history", MemoryHistory)
