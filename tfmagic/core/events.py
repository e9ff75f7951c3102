"""Events of models with their times, which explain a curve of memory."""

from __future__ import annotations

import time
from collections import deque
from typing import Literal, TypedDict

from tfmagic.core.process import once

EventKind = Literal["added", "renewed", "replaced", "parked", "woken", "dropped", "failed"]

_REMEMBERED = 1000


class EventRecord(TypedDict):
    """One event.

    Attributes
    ----------
    time_s
        Seconds since the epoch.
    kind
        What happened.
    model
        The model's name.
    """

    time_s: float
    kind: EventKind
    model: str


class Events:
    """The last thousand events, the oldest first."""

    def __init__(self) -> None:
        self._events: deque[EventRecord] = deque(maxlen=_REMEMBERED)

    def note(self, kind: EventKind, model: str) -> None:
        """Note that something has happened now."""
        self._events.append({"time_s": time.time(), "kind": kind, "model": model})

    def records(self) -> list[EventRecord]:
        """Return the events, the oldest first."""
        return list(self._events)


def events() -> Events:
    """Return the process's events."""
    return once("events", Events)
