"""What TensorFlow logged, kept: each message once, and so many of them at most."""

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
# What differs from one time to the next though the message is the same.
_PASSING = re.compile(r"0x[0-9a-fA-F]+|\d\d:\d\d:\d\d(?:\.\d+)?")
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
        File and line of TensorFlow's; empty where it named none.
    text
        What it says, as it came first.
    model
        Which models ran when it came, joined with commas; None where none did.
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
        How many of them are warnings, and how many matter: errors, and memory that
        ran out.
    last
        The one that came last.
    """

    entries: int
    warnings: int
    errors: int
    last: LogRecord | None


class LogEntries:
    """The messages; informational ones make room first, errors last.

    Attributes
    ----------
    let_go
        How many made room for others.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.let_go = 0
        self._limit = limit
        self._seq = 0
        self._lock = threading.Lock()
        self._kept: tuple[OrderedDict[_Key, LogRecord], ...] = (OrderedDict(), OrderedDict(), OrderedDict())

    def add(self, message: Message, came_s: float, model: str | None) -> None:
        """Keep a message of TensorFlow's; one that is there already counts once more.

        Parameters
        ----------
        message
            The message.
        came_s
            When it came, in seconds since 1970.
        model
            The model that ran.
        """
        severity = message.severity
        if severity is None:
            return
        text = message.text
        if len(text) > _TEXT_LIMIT:
            text = f"{text[:_TEXT_LIMIT]}… ({len(text) - _TEXT_LIMIT} more characters)"
        key = (severity, message.source, _PASSING.sub("", text), model)
        kept = self._kept[2 if message.matters else int(severity == "warning")]
        with self._lock:
            if (known := kept.get(key)) is not None:
                known["count"] += 1
                known["last_s"] = came_s
                kept.move_to_end(key)
                return
            self._seq += 1
            kept[key] = {
                "seq": self._seq,
                "first_s": came_s,
                "last_s": came_s,
                "count": 1,
                "severity": severity,
                "source": message.source,
                "text": text,
                "model": model,
            }
            if sum(map(len, self._kept)) > self._limit:
                next(one for one in self._kept if one).popitem(last=False)
                self.let_go += 1

    def records(self, *, errors: bool = False) -> list[LogRecord]:
        """Return the messages, in the order in which they first came.

        Parameters
        ----------
        errors
            Only those that matter: errors, and memory that ran out.
        """
        with self._lock:
            copies = [record.copy() for one in (self._kept[2:] if errors else self._kept) for record in one.values()]
        return sorted(copies, key=lambda record: record["seq"])

    def summary(self) -> LogSummary:
        """Return how many messages there are, and the latest."""
        with self._lock:
            informational, warnings, errors = self._kept
            # The latest of each is at its end.
            latest = [next(reversed(one.values())) for one in self._kept if one]
            last = max(latest, key=lambda record: record["last_s"], default=None)
            return {
                "entries": len(informational) + len(warnings) + len(errors),
                "warnings": len(warnings),
                "errors": len(errors),
                "last": None if last is None else last.copy(),
            }

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            for one in self._kept:
                one.clear()
            self.let_go = 0
