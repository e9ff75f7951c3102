"""What was is kept for ten minutes at one second, and thinned after that."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tfmagic.panel.snapshot.memory_history import MemoryHistory


def at(time_s: float, rss_bytes: int = 0, **held: int) -> Any:
    """Return what of a snapshot a history looks at."""
    return {
        "time_s": time_s,
        "process": {"rss_bytes": rss_bytes},
        "devices": [{"name": "GPU:0", "used_bytes": 5}, {"name": "CPU:0", "used_bytes": None}],
        "models": [{"name": name, "held_bytes": size} for name, size in held.items()],
    }


def times(kept: MemoryHistory) -> list[float]:
    return [point["time_s"] for point in kept.record()["points"]]


def test_ten_minutes_are_kept_at_one_second() -> None:
    kept = MemoryHistory()
    for second in range(600):
        kept.note(at(1000.0 + second))
    assert times(kept) == [1000.0 + second for second in range(600)]


def test_what_is_older_is_thinned_and_the_day_before_is_gone() -> None:
    kept = MemoryHistory()
    for second in range(3 * 86400):
        kept.note(at(float(second)))
    now = times(kept)
    end = 3 * 86400 - 1
    assert len(now) < 600 + 360 + 1440 + 2
    assert now == sorted(set(now))
    gaps = [(end - late, late - early) for early, late in pairwise(now)]
    assert {gap for age, gap in gaps if age < 599} == {1.0}
    assert {gap for age, gap in gaps if 700 < age < 3500} == {10.0}
    assert {gap for age, gap in gaps if 3700 < age < 86000} == {60.0}
    assert end - now[0] > 86000
    assert end - now[0] < 87000


def test_looks_that_come_faster_are_not_all_kept() -> None:
    kept = MemoryHistory()
    for tenth in range(100):
        kept.note(at(tenth / 10))
    assert len(times(kept)) <= 20


def test_a_model_is_noted_where_what_it_takes_changes() -> None:
    kept = MemoryHistory()
    for second, held in enumerate(({"a": 5}, {"a": 5}, {"a": 5, "b": 7}, {"a": 0, "b": 7}, {"b": 7})):
        kept.note(at(float(second), **held))
    assert [(one["time_s"], one["model"], one["bytes"]) for one in kept.record()["changes"]] == [
        (0.0, "a", 5),
        (2.0, "b", 7),
        (3.0, "a", 0),
    ]
    assert [point["models_bytes"] for point in kept.record()["points"]] == [5, 5, 12, 7, 7]


def test_only_devices_that_report_are_in_it() -> None:
    kept = MemoryHistory()
    kept.note(at(0.0))
    assert kept.record()["points"][0]["devices"] == {"GPU:0": 5}
