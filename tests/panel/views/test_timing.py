"""The view of a timing: one line, as ``%timeit`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tfmagic.panel.views.timing import TimingLine

if TYPE_CHECKING:
    from tfmagic.model.running.timing import TimingRecord


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
