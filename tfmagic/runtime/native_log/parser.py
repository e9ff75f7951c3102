"""Recognise TensorFlow's own lines on stderr by their form.

TensorFlow, XLA and oneDNN's glue log through absl, older versions through TSL. Both
begin a message with severity, time and source, and hand it over in one write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Severity = Literal["info", "warning", "error", "fatal"]

_SEVERITIES: dict[bytes, Severity] = {b"I": "info", b"W": "warning", b"E": "error", b"F": "fatal"}
_SOURCE = rb"(?P<source>[^\s:\]]+\.(?:cc|cpp|cxx|cu|c|h|hpp|inc|mm):\d+)\] ?"
# 2026-11-22 01:02:03.123456: W tensorflow/core/framework/op.cc:123] text
_TSL = rb"(?P<local>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}): (?P<severity>[IWEF]) " + _SOURCE
# I0000 00:00:1700000000.123456 1234 file.cc:12] text (so in seconds since 1970 where no time zone is known)
_ABSL = rb"(?P<severity>[IWEF])\d{4} \d\d:\d\d:(?P<seconds>\d+\.\d+) +(?P<thread>\d+) " + _SOURCE
_HEADERS = (re.compile(_TSL), re.compile(_ABSL))
_ANY_HEADER = re.compile(rb"^(?:" + re.sub(rb"\(\?P<\w+>", b"(?:", _TSL + rb"|" + _ABSL) + rb")", re.MULTILINE)
# absl prints this line without a header; it announces where log lines go.
_ANNOUNCEMENT = b"WARNING: All log messages before absl::InitializeLog"
# These warn of settings that TensorFlow's own Python code has made.
_NO_WARNINGS = ("tf_tfl_flatbuffer_helpers.cc:",)
# Lines that continue the message above, where the end of its write is no longer known.
_CONTINUATION = re.compile(rb"[ \t]+\S|To enable the following instructions:")

_MATTERS = re.compile(r"\bOOM\b|resource[ _]exhausted|out of memory|check failed", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Message:
    """A part of the output, ``raw``: a message of TensorFlow's, or other text, whose severity is None.

    Source (file and line), native thread and time (in seconds since 1970) are those that the message names.
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
    """Split output into messages; their `raw` parts joined are the output again.

    TensorFlow writes each message at once, so exactly one write (`whole`) is one message. Otherwise a line without a
    header belongs to the message above only if it looks like a continuation.
    """
    if whole and starts_message(written) and len(_ANY_HEADER.findall(written)) <= 1:
        return [_message(written)]
    parts: list[list[bytes]] = []
    in_message = False
    # Split at line feeds alone: a progress bar's carriage return ends no line.
    for line in re.split(rb"(?<=\n)(?!\Z)", written) if written else ():
        starts = starts_message(line)
        if not parts or starts or (in_message and not _CONTINUATION.match(line)):
            parts.append([line])
            in_message = starts
        else:
            parts[-1].append(line)
    return [_message(b"".join(lines)) for lines in parts]


def starts_message(written: bytes) -> bool:
    """Return whether output begins as TensorFlow's messages do."""
    return written.startswith(_ANNOUNCEMENT) or any(header.match(written) for header in _HEADERS)


def _message(raw: bytes) -> Message:
    if raw.startswith(_ANNOUNCEMENT):
        return Message(raw, "info", "", _text(raw))
    for header in _HEADERS:
        if (match := header.match(raw)) is not None:
            fields = match.groupdict()
            severity, source = _SEVERITIES[fields["severity"]], fields["source"].decode(errors="replace")
            return Message(
                raw,
                "info" if severity == "warning" and source.startswith(_NO_WARNINGS) else severity,
                source,
                _text(raw[match.end() :]),
                int(fields["thread"]) if "thread" in fields else None,
                _written_s(fields),
            )
    return Message(raw)


def _written_s(fields: dict[str, bytes]) -> float | None:
    try:
        if "local" in fields:
            return datetime.fromisoformat(fields["local"].decode()).astimezone().timestamp()
        # Seconds since 1970, or only those of a minute.
        seconds = float(fields["seconds"])
    except ValueError:
        return None
    return seconds if seconds >= 60 else None


def _text(raw: bytes) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw.decode(errors="replace").strip())
