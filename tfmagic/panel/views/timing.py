"""``--repeat``: one line, as ``%timeit`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.units import seconds_text
from tfmagic.panel.views.view import View

if TYPE_CHECKING:
    from tfmagic.model.running.timing import TimingRecord


class TimingLine(View):
    """How long a call takes: the mean and spread over the runs, and the best."""

    def __init__(self, record: TimingRecord) -> None:
        self.record = record

    def text(self) -> str:
        """Return ``195 µs ± 4.2 µs per run (mean ± std. dev. of 7 runs, 1,000 loops each), best 190 µs``."""
        record = self.record
        loops = "1 loop" if record["loops"] == 1 else f"{record['loops']:,} loops"
        if record["deviation_s"] is None:
            return f"{seconds_text(record['mean_s'])} per run (1 run, {loops})"
        spread = f"{seconds_text(record['mean_s'])} ± {seconds_text(record['deviation_s'])}"
        runs = f"mean ± std. dev. of {record['repeat']} runs, {loops} each"
        return f"{spread} per run ({runs}), best {seconds_text(record['best_s'])}"
