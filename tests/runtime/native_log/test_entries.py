"""The log keeps each message once, and so many at most."""

from __future__ import annotations

from tfmagic.runtime.native_log.entries import LogEntries
from tfmagic.runtime.native_log.parser import Message, Severity


def message(text: str, severity: Severity = "info") -> Message:
    return Message(b"", severity, "a.cc:1", text)


def test_the_same_message_counts_times_and_addresses_apart() -> None:
    entries = LogEntries()
    entries.add(message("at 0x7f01 since 01:02:03.5"), 10.0, None)
    entries.add(message("at 0xbeef since 02:03:04"), 12.0, None)
    (record,) = entries.records()
    assert record == {
        "seq": 1,
        "first_s": 10.0,
        "last_s": 12.0,
        "count": 2,
        "severity": "info",
        "source": "a.cc:1",
        "text": "at 0x7f01 since 01:02:03.5",
        "model": None,
    }


def test_another_text_source_severity_or_model_is_another_message() -> None:
    entries = LogEntries()
    for one in (message("a"), message("b"), message("a", "warning"), Message(b"", "info", "b.cc:1", "a")):
        entries.add(one, 1.0, None)
    entries.add(message("a"), 1.0, "net")
    assert [record["count"] for record in entries.records()] == [1] * 5
    assert [record["seq"] for record in entries.records()] == [1, 2, 3, 4, 5]


def test_informational_messages_make_room_first_and_errors_last() -> None:
    entries = LogEntries(limit=3)
    entries.add(message("error", "error"), 1.0, None)
    entries.add(message("first"), 2.0, None)
    entries.add(message("second"), 3.0, None)
    entries.add(message("first"), 4.0, None)
    entries.add(message("OOM", "warning"), 5.0, None)
    assert [record["text"] for record in entries.records()] == ["error", "first", "OOM"]
    entries.add(message("warning", "warning"), 6.0, None)
    entries.add(message("fatal", "fatal"), 7.0, None)
    assert [record["text"] for record in entries.records()] == ["error", "OOM", "fatal"]
    entries.add(message("more", "fatal"), 8.0, None)
    assert [record["text"] for record in entries.records()] == ["OOM", "fatal", "more"]
    assert entries.dropped_count == 4


def test_what_matters_is_had_alone() -> None:
    entries = LogEntries()
    for one in (message("a"), message("b", "warning"), message("c", "error"), message("out of memory", "warning")):
        entries.add(one, 1.0, None)
    assert [record["text"] for record in entries.records(errors=True)] == ["c", "out of memory"]


def test_a_very_long_text_is_cut_and_says_so() -> None:
    entries = LogEntries()
    entries.add(message("x" * 10_000), 1.0, None)
    assert entries.records()[0]["text"] == "x" * 8_000 + "… (2000 more characters)"


def test_records_are_copies_and_clearing_forgets_them() -> None:
    entries = LogEntries(limit=1)
    entries.add(message("a"), 1.0, None)
    entries.records()[0]["count"] = 7
    assert entries.records()[0]["count"] == 1
    entries.add(message("b"), 1.0, None)
    entries.clear()
    assert (entries.records(), entries.dropped_count) == ([], 0)
    entries.add(message("b"), 1.0, None)
    assert entries.records()[0]["seq"] == 3
