from __future__ import annotations

import threading
import time

import pytest

from tfmagic.model.running.batches import Prefetcher

SPANS = [(0, 4), (4, 8), (8, 10)]


def test_the_next_batch_is_made_while_the_present_one_runs() -> None:
    made: list[tuple[int, int, str]] = []

    def make(start: int, stop: int) -> int:
        time.sleep(0.02)
        made.append((start, stop, threading.current_thread().name))
        return start

    prefetcher = Prefetcher(make, SPANS)
    assert prefetcher.batch(0, 4) == 0
    time.sleep(0.2)
    assert [(start, stop) for start, stop, _ in made] == [(0, 4), (4, 8)]
    assert made[1][2] == "tfmagic-run"
    assert [prefetcher.batch(*span) for span in SPANS[1:]] == [4, 8]
    assert len(made) == 3


def test_what_is_made_at_once_is_made_when_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmagic.model.running.batches._WORTH_S", 60.0)
    names = []

    def make(start: int, stop: int) -> int:
        names.append(threading.current_thread().name)
        return stop - start

    prefetcher = Prefetcher(make, SPANS)
    assert [prefetcher.batch(*span) for span in SPANS] == [4, 4, 2]
    assert "tfmagic-run" not in names


def test_an_error_of_a_batch_comes_when_that_batch_is_taken() -> None:
    def make(start: int, stop: int) -> int:
        time.sleep(0.01)
        if start == 4:
            msg = "does not fit"
            raise ValueError(msg)
        return stop

    prefetcher = Prefetcher(make, SPANS)
    assert prefetcher.batch(0, 4) == 4
    with pytest.raises(ValueError, match="does not fit"):
        prefetcher.batch(4, 8)


def test_another_order_is_made_as_it_is_asked_for() -> None:
    def make(start: int, stop: int) -> int:
        time.sleep(0.01)
        return 100 * start + stop

    prefetcher = Prefetcher(make, SPANS)
    assert prefetcher.batch(4, 8) == 408
    assert prefetcher.batch(0, 4) == 4
    assert prefetcher.batch(8, 10) == 810
