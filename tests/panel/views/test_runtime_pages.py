"""The log as text and HTML: what is in it is text; the peak of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.views.runtime_pages import LogPage, peak_text

if TYPE_CHECKING:
    from tfmagic.runtime.native_log.entries import LogRecord
    from tfmagic.runtime.native_log.log import Mode, NativeLogRecord

HOSTILE = "<img src=x onerror=1>"


def log(*entries: LogRecord, mode: Mode = "capture", let_go: int = 0) -> NativeLogRecord:
    return {"mode": mode, "entries": list(entries), "let_go": let_go}


def entry(text: str, model: str | None = None) -> LogRecord:
    return {
        "seq": 1,
        "first_s": 0.0,
        "last_s": 1_700_000_000.0,
        "count": 3,
        "severity": "warning",
        "source": "a.cc:1",
        "text": text,
        "model": model,
    }


def test_a_message_is_drawn_with_how_often_and_whose() -> None:
    heading, row = LogPage(log(entry("low\non space", "net"))).text().splitlines()
    assert heading.split() == ["last", "times", "severity", "model", "source", "message"]
    assert row.split(maxsplit=1)[1] == "    3  warning   net    a.cc:1  low on space".strip()


def test_what_a_line_contains_is_text() -> None:
    html = LogPage(log(entry(HOSTILE, HOSTILE))).html()
    assert HOSTILE not in html
    assert html.count("&lt;img src=x onerror=1&gt;") == 2


def test_an_empty_log_says_so() -> None:
    page = LogPage(log())
    assert (
        page.text()
        == "nothing here: TensorFlow has written nothing of the kind since the log began or was last cleared"
    )
    assert page.html() == f"<p>{page.text()}</p>"


def test_a_log_that_is_off_or_has_lost_something_says_so() -> None:
    page = LogPage(log(entry("a"), mode="off", let_go=7))
    assert page.text().splitlines()[2:] == [
        'the log is off: %config TfMagic.native_log = "capture" begins it',
        "7 older messages made room for newer ones and are not here",
    ]
    assert "7 older messages" in page.html()


def test_a_peak_that_only_a_traced_run_tells_says_so() -> None:
    assert peak_text(None, awaits_trace=True) == "unknown until a run with --trace"
    assert peak_text(None, awaits_trace=False) == "unknown"
    assert peak_text(1500, awaits_trace=False) == "1.5 kB"
