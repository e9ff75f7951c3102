"""TensorFlow's lines are told from others by their form, with what they say of themselves."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tfmagic.runtime.native_log.parser import Message, Severity, messages

TSL = b"2026-11-22 01:02:03.123456: W tensorflow/core/framework/op.cc:123] text\n"
ABSL = b"I0000 00:00:1700000000.123456    1234 port.cc:153] oneDNN is on\n"
GLOG = b"E1122 01:02:03.123456    1234 dso_loader.cc:12] no such library\n"
ANNOUNCED = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
CONVERTER = b"W0000 00:00:1700000000.123456    1234 tf_tfl_flatbuffer_helpers.cc:364] Ignored output_format.\n"


@pytest.mark.parametrize(
    ("line", "severity", "source", "text", "thread"),
    [
        (TSL, "warning", "tensorflow/core/framework/op.cc:123", "text", None),
        (ABSL, "info", "port.cc:153", "oneDNN is on", 1234),
        (GLOG, "error", "dso_loader.cc:12", "no such library", 1234),
        (b"F" + ABSL[1:], "fatal", "port.cc:153", "oneDNN is on", 1234),
        (ANNOUNCED, "info", "", ANNOUNCED.decode().strip(), None),
        (CONVERTER, "info", "tf_tfl_flatbuffer_helpers.cc:364", "Ignored output_format.", 1234),
    ],
)
def test_a_line_says_what_it_is(line: bytes, severity: Severity, source: str, text: str, thread: int | None) -> None:
    (found,) = messages(line)
    assert (found.severity, found.source, found.text, found.thread) == (severity, source, text, thread)
    assert found.raw == line


@pytest.mark.parametrize(
    "line",
    [
        b"mine\n",
        b"I think: W tensorflow/core/framework/op.cc:123] text\n",
        # absl's Python half writes so, too.
        b"I1122 01:02:03.123456 140000000000000 trainer.py:12] step 3\n",
        b"[W1122 01:02:03.123456789 socket.cpp:12] another library's\n",
        b"\0",
        b"50%\r60%\r",
    ],
)
def test_what_is_not_tensorflows_is_not_taken_for_it(line: bytes) -> None:
    assert messages(line) == messages(line, whole=True) == [Message(line)]


def test_nothing_is_nothing() -> None:
    assert messages(b"") == messages(b"", whole=True) == []


def test_one_write_is_one_message_whatever_its_lines_look_like() -> None:
    written = ABSL + b"mine it seems\n\n  indented\n"
    (found,) = messages(written, whole=True)
    assert (found.raw, found.text) == (written, "oneDNN is on\nmine it seems\n\n  indented")


@pytest.mark.parametrize("whole", [False, True])
def test_lines_that_came_together_are_taken_apart(whole: bool) -> None:  # noqa: FBT001 - both
    written = b"mine\n" + ABSL + b"  indented\nmine again\n\n" + TSL + b"To enable the following instructions: A\nlast"
    found = messages(written, whole=whole)
    assert [one.severity for one in found] == [None, "info", None, "warning", None]
    assert [one.text for one in found if one.severity] == [
        "oneDNN is on\n  indented",
        "text\nTo enable the following instructions: A",
    ]
    assert b"".join(one.raw for one in found) == written


def test_the_time_is_the_one_that_it_names() -> None:
    now = time.time()
    (absl,) = messages(f"I0000 00:00:{now:.6f} 1 a.cc:1] text\n".encode())
    (tsl,) = messages(f"{datetime.fromtimestamp(now).astimezone():%Y-%m-%d %H:%M:%S.%f}: I a.cc:1] text\n".encode())
    (glog,) = messages(GLOG)
    assert absl.written_s == pytest.approx(now, abs=1e-5)
    assert tsl.written_s == pytest.approx(now, abs=1e-5)
    assert glog.written_s is None


@pytest.mark.parametrize(
    ("line", "matters"),
    [
        (ABSL, False),
        (TSL, False),
        (GLOG, True),
        (b"F" + ABSL[1:], True),
        (TSL.replace(b"text", b"Allocator ran out of memory"), True),
        (TSL.replace(b"text", b"OOM when allocating"), True),
        (ABSL.replace(b"oneDNN", b"RESOURCE_EXHAUSTED: oneDNN"), True),
        (ABSL.replace(b"oneDNN", b"Check failed: oneDNN"), True),
        (TSL.replace(b"text", b"the ROOM is full"), False),
    ],
)
def test_errors_and_memory_that_ran_out_matter(line: bytes, matters: bool) -> None:  # noqa: FBT001 - what is expected
    assert messages(line)[0].matters is matters


def test_control_characters_do_not_reach_a_terminal_by_way_of_the_log() -> None:
    assert messages(ABSL.replace(b"oneDNN", b"\x1b[2Jone\tDNN"))[0].text == "\ufffd[2Jone\tDNN is on"
