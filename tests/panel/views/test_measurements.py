"""The views of a timing, one line as ``%timeit`` has it, and of a trace, two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tfmagic.panel.views.measurements import TimingLine, TraceTable

if TYPE_CHECKING:
    from tfmagic.model.running.timing import TimingRecord
    from tfmagic.model.tracing.trace import OperationRecord, TraceRecord

HOSTILE = "<img src=x onerror=1>"


def timing(mean: float, deviation: float | None, best: float, *, repeat: int = 7, loops: int = 1000) -> TimingRecord:
    return {
        "model": "net",
        "repeat": repeat,
        "loops": loops,
        "mean_s": mean,
        "deviation_s": deviation,
        "best_s": best,
        "worst_s": mean,
        "runs_s": [mean] * repeat,
    }


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            timing(195e-6, 4.2e-6, 190e-6),
            "195 µs ± 4.2 µs per run (mean ± std. dev. of 7 runs, 1,000 loops each), best 190 µs",
        ),
        (
            timing(2.5, 0.01, 2.4, repeat=3, loops=1),
            "2.5 s ± 10 ms per run (mean ± std. dev. of 3 runs, 1 loop each), best 2.4 s",
        ),
        (timing(0.3, None, 0.3, repeat=1, loops=1), "300 ms per run (1 run, 1 loop)"),
        (timing(3e-7, None, 3e-7, repeat=1, loops=1_000_000), "0.3 µs per run (1 run, 1,000,000 loops)"),
    ],
)
def test_a_timing_is_one_line(record: TimingRecord, line: str) -> None:
    assert TimingLine(record).text() == line
    assert line in TimingLine(record).html()


def operation(name: str = "dense/MatMul", **fields: Any) -> OperationRecord:
    known: OperationRecord = {
        "name": name,
        "type": "MatMul",
        "device": "CPU:0",
        "count": 1,
        "time_s": 0.002,
        "share": 0.8,
        "allocated_bytes": 2_048_000,
        "output_bytes": 40_000,
    }
    return {**known, **fields}  # type: ignore[typeddict-item]


def trace(*operations: OperationRecord, rest: OperationRecord | None = None, shown: int = 20) -> TraceRecord:
    return {
        "model": "net",
        "mode": "graph",
        "wall_s": 0.003,
        "operations": list(operations),
        "shown": min(shown, len(operations)),
        "rest": rest,
        "devices": [{"device": "CPU:0", "operations": 1, "time_s": 0.002, "allocated_bytes": None}]
        if operations
        else [],
    }


def test_every_operation_has_a_line_with_its_figures() -> None:
    caption, headings, line, _, devices, device = TraceTable(trace(operation())).text().splitlines()
    assert caption == "net: one run, 3 ms (operations that ran side by side add up to more)"
    assert headings.split() == ["operation", "type", "device", "times", "time", "share", "allocated", "output"]
    assert " ".join(line.split()) == "dense/MatMul MatMul CPU:0 1 2 ms 80.0 % 2.05 MB 40 kB"
    assert devices.split() == ["device", "operations", "time", "allocated"]
    assert device.split() == ["CPU:0", "1", "2", "ms", "unknown"]


def test_what_was_not_recorded_is_unknown_and_never_a_zero() -> None:
    text = TraceTable(trace(operation(device=None, allocated_bytes=None, output_bytes=None))).text()
    line = " ".join(text.splitlines()[2].split())
    assert line == "dense/MatMul MatMul unknown 1 2 ms 80.0 % unknown unknown"
    assert "0 B" not in text
    assert "0 B" in TraceTable(trace(operation(allocated_bytes=0))).text()


def test_the_rest_is_one_line() -> None:
    several = [operation(f"op{number}") for number in range(25)]
    rest = operation("", type="", device="", count=9, share=0.05)
    lines = TraceTable(trace(*several, rest=rest)).text().splitlines()
    assert [line.split()[0] for line in lines[2:22]] == [f"op{number}" for number in range(20)]
    assert lines[22].startswith("5 other operations")
    assert "9" in lines[22].split()
    one = TraceTable(trace(*several[:21], rest=rest)).text()
    assert "1 other operation " in one


def test_a_trace_without_operations_says_so() -> None:
    view = TraceTable(trace())
    assert view.text() == "net: one run, 3 ms; TensorFlow recorded no operation of it"
    assert "TensorFlow recorded no operation of it" in view.html()


def test_html_is_two_tables_and_names_never_become_html() -> None:
    html = TraceTable(trace(operation(HOSTILE)))._repr_html_()
    assert html.count("<table>") == 2
    assert "<img" not in html
    assert "&lt;img" in html
