"""Lines that TensorFlow writes to stderr by itself, told from everybody else's by their form.

TensorFlow, XLA and oneDNN's glue log through absl, older versions through TSL; both
begin a message with severity, time and source, and hand it over in one write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Severity = Literal["info", "warning", "error", "fatal"]
"""How bad TensorFlow says that it is."""

_SEVERITIES: dict[bytes, Severity] = {b"I": "info", b"W": "warning", b"E": "error", b"F": "fatal"}
_SOURCE = rb"(?P<source>[^\s:\]]+\.(?:cc|cpp|cxx|cu|c|h|hpp|inc|mm):\d+)\] ?"
# 2026-11-22 01:02:03.123456: W tensorflow/core/framework/op.cc:123] text
_TSL = rb"(?P<local>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}): (?P<severity>[IWEF]) " + _SOURCE
# I0000 00:00:1700000000.123456 1234 file.cc:12] text (so in seconds since 1970 where no time zone is known)
_ABSL = rb"(?P<severity>[IWEF])\d{4} \d\d:\d\d:(?P<seconds>\d+\.\d+) +(?P<thread>\d+) " + _SOURCE
_HEADERS = (re.compile(_TSL), re.compile(_ABSL))
_ANY_HEADER = re.compile(rb"^(?:" + re.sub(rb"\(\?P<\w+>", b"(?:", _TSL + rb"|" + _ABSL) + rb")", re.MULTILINE)
# absl prints it without a header; it announces where log lines go.
_ANNOUNCED = b"WARNING: All log messages before absl::InitializeLog"
# These warn of settings that TensorFlow's own Python has given.
_NO_WARNINGS = ("tf_tfl_flatbuffer_helpers.cc:",)
# What follows a header's line and is its own, where a write no longer shows where it ended.
_CONTINUED = re.compile(rb"[ \t]+\S|To enable the following instructions:")

_MATTERS = re.compile(r"\bOOM\b|resource[ _]exhausted|out of memory|check failed", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Message:
    """A part of what was written.

    Attributes
    ----------
    raw
        The bytes as they were written.
    severity
        None where it is not TensorFlow's.
    source
        File and line; empty where it names none.
    text
        What it says, without its header.
    thread
        The native thread that it names; None where it names none.
    written_s
        The time that it names, in seconds since 1970; None where it names none in full.
    """

    raw: bytes
    severity: Severity | None = None
    source: str = ""
    text: str = ""
    thread: int | None = None
    written_s: float | None = None

    @property
    def matters(self) -> bool:
        """Whether a person has to see it: an error, or memory that ran out."""
        return self.severity in {"error", "fatal"} or _MATTERS.search(self.text) is not None


def messages(written: bytes, *, whole: bool = False) -> list[Message]:
    """Take apart what was written; the parts' `raw` joined are the whole again.

    Parameters
    ----------
    written
        The bytes.
    whole
        Whether they are one write: TensorFlow's own are a message each, whatever
        its lines look like. Otherwise a line without a header belongs to the
        message above it only if it is indented or known to.
    """
    if whole and is_ours(written) and len(_ANY_HEADER.findall(written)) <= 1:
        return [_message(written)]
    found: list[Message] = []
    begun: list[bytes] = []
    ours = False
    # Split at line feeds alone: a progress bar's carriage return ends no line.
    for line in re.split(rb"(?<=\n)(?!\Z)", written) if written else ():
        if is_ours(line) or (ours and not _CONTINUED.match(line)):
            if begun:
                found.append(_message(b"".join(begun)))
            begun, ours = [], is_ours(line)
        begun.append(line)
    if begun:
        found.append(_message(b"".join(begun)))
    return found


def is_ours(written: bytes) -> bool:
    """Return whether it begins as TensorFlow's messages do."""
    return written.startswith(_ANNOUNCED) or any(header.match(written) for header in _HEADERS)


def _message(raw: bytes) -> Message:
    if raw.startswith(_ANNOUNCED):
        return Message(raw, "info", "", _text(raw))
    for header in _HEADERS:
        if (found := header.match(raw)) is not None:
            parts = found.groupdict()
            severity, source = _SEVERITIES[parts["severity"]], parts["source"].decode(errors="replace")
            return Message(
                raw,
                "info" if severity == "warning" and source.startswith(_NO_WARNINGS) else severity,
                source,
                _text(raw[found.end() :]),
                int(parts["thread"]) if "thread" in parts else None,
                _written_s(parts),
            )
    return Message(raw)


def _written_s(parts: dict[str, bytes]) -> float | None:
    try:
        if "local" in parts:
            return datetime.fromisoformat(parts["local"].decode()).astimezone().timestamp()
        # Seconds since 1970, or those of a minute.
        seconds = float(parts["seconds"])
    except ValueError:
        return None
    return seconds if seconds >= 60 else None


def _text(raw: bytes) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw.decode(errors="replace").strip())
