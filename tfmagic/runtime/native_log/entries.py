"""The messages of the native log: each message once, and a limited number of them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from tfmagic.runtime.native_log.parser import Message, Severity

LIMIT = 1_000
"""How many different messages are kept."""

_TEXT_LIMIT = 8_000
# Addresses and times differ from one occurrence of a message to the next.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d\d:\d\d:\d\d(?:\.\d+)?")
_Key = tuple[str, str, str, str | None]


class LogRecord(TypedDict):
    """A message of TensorFlow's.

    Attributes
    ----------
    seq
        Its number, in the order in which messages first came, from 1.
    first_s, last_s
        When it came first and last, in seconds since 1970.
    count
        How often it came.
    severity
        ``info``, ``warning``, ``error`` or ``fatal``, as TensorFlow says.
    source
        TensorFlow's file and line; empty where it named none.
    text
        Its text, as it came first.
    model
        The models that ran when it came, joined with commas; None where none did.
    """

    seq: int
    first_s: float
    last_s: float
    count: int
    severity: Severity
    source: str
    text: str
    model: str | None


class LogSummary(TypedDict):
    """The log in figures.

    Attributes
    ----------
    entries
        How many different messages there are.
    warnings, errors
        How many are warnings, and how many are errors or say that memory ran out.
    last
        The message that came last.
    """

    entries: int
    warnings: int
    errors: int
    last: LogRecord | None


class LogEntries:
    """The kept messages; at the limit informational ones are dropped first, errors last."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.dropped_count = 0
        self._limit = limit
        self._seq = 0
        self._lock = threading.Lock()
        # Informational messages, warnings, and errors.
        self._groups: tuple[OrderedDict[_Key, LogRecord], ...] = (OrderedDict(), OrderedDict(), OrderedDict())

    def add(self, message: Message, came_s: float, model: str | None) -> None:
        """Keep a message that came at `came_s` (seconds since 1970); a known message only counts once more."""
        severity = message.severity
        if severity is None:
            return
        text = message.text
        if len(text) > _TEXT_LIMIT:
            text = f"{text[:_TEXT_LIMIT]}… ({len(text) - _TEXT_LIMIT} more characters)"
        key = (severity, message.source, _VARYING.sub("", text), model)
        group = self._groups[2 if message.matters else int(severity == "warning")]
        with self._lock:
            if (record := group.get(key)) is not None:
                record["count"] += 1
                record["last_s"] = came_s
                group.move_to_end(key)
                return
            self._seq += 1
            group[key] = {
                "seq": self._seq,
                "first_s": came_s,
                "last_s": came_s,
                "count": 1,
                "severity": severity,
                "source": message.source,
                "text": text,
                "model": model,
            }
            if sum(map(len, self._groups)) > self._limit:
                next(filter(None, self._groups)).popitem(last=False)
                self.dropped_count += 1

    def records(self, *, errors: bool = False) -> list[LogRecord]:
        """Return the messages in the order in which they first came; with `errors`, only those that matter."""
        groups = self._groups[2:] if errors else self._groups
        with self._lock:
            copies = [record.copy() for group in groups for record in group.values()]
        return sorted(copies, key=lambda record: record["seq"])

    def summary(self) -> LogSummary:
        """Return how many messages there are, and the latest."""
        with self._lock:
            informational, warnings, errors = self._groups
            # The latest of each group is at its end.
            latest = [next(reversed(group.values())) for group in self._groups if group]
            last = max(latest, key=lambda record: record["last_s"], default=None)
            return {
                "entries": len(informational) + len(warnings) + len(errors),
                "warnings": len(warnings),
                "errors": len(errors),
                "last": None if last is None else last.copy(),
            }

    def clear(self) -> None:
        """Delete all messages."""
        with self._lock:
            for group in self._groups:
                group.clear()
            self.dropped_count = 0
