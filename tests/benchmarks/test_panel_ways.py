"""What the benchmark of the panel does in a kernel: it trains with the panel watched, and without."""

from __future__ import annotations

import json
import time

import pytest

from benchmarks import panel_ways
from tfmagic.panel.channel.widget import Panel


@pytest.mark.slow
def test_it_trains_with_the_panel_open_and_closed(capsys: pytest.CaptureFixture[str]) -> None:
    panel = Panel()
    panel_ways.in_turns(panel, "loop", 1, 0.01)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(found["open"]) == len(found["closed"]) == len(found["look"]) == 1
    panel.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["python", "native", "fit"])
def test_it_is_busy_for_as_long_as_is_asked(way: str) -> None:
    panel = Panel()
    began = time.monotonic()
    panel_ways.busy(panel, way, 0.5)
    assert time.monotonic() - began >= 0.5
    panel.close()
