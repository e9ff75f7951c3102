"""The sampler looks once an interval while it is watched, and seldom else."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from factories import CHECKOUT

from tfmagic.panel.snapshot.sampler import ASLEEP_S, INTERVALS_S, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    made = Sampler()
    made.watched_s = 0.01
    made.start()
    yield made
    made.stop()


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


class Counting:
    """Counts its calls, and says when there were some."""

    def __init__(self) -> None:
        self.calls = 0
        self.several = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls >= 3:
            self.several.set()


def test_a_watcher_is_called_again_and_again(sampler: Sampler) -> None:
    seen = Counting()
    sampler.watch(seen)
    assert seen.several.wait(20)


def test_it_sleeps_while_nobody_watches(sampler: Sampler) -> None:
    always = Counting()
    sampler.always = [always]
    assert sampler.interval_s == ASLEEP_S
    end = sampler.watch(lambda: None)
    assert sampler.interval_s == 0.01
    assert always.several.wait(20)
    end()
    assert sampler.interval_s == ASLEEP_S


@pytest.mark.parametrize(("look_s", "sleeps_s"), [(0.0, 1.0), (0.2, 0.8), (0.7, 0.5), (9.0, 0.5)])
def test_what_a_look_takes_is_part_of_the_interval_up_to_half_of_it(
    look_s: float, sleeps_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        "tfmagic.panel.snapshot.sampler.time", SimpleNamespace(monotonic=lambda: clock.now, thread_time=lambda: 0.0)
    )
    slept: list[float | None] = []

    class Woken(threading.Event):
        """Wakes as soon as somebody sleeps, and ends it the second time."""

        def wait(self, timeout: float | None = None) -> bool:
            slept.append(timeout)
            if len(slept) == 2:
                mine._thread = None
            return True

    def look() -> None:
        clock.now += look_s

    mine = Sampler()
    mine.watch(look)
    mine._wake = woken = Woken()
    mine._thread = threading.current_thread()
    mine._run(woken)
    assert slept == [1.0, pytest.approx(sleeps_s)]


def test_the_shortest_interval_that_a_watcher_wants_counts(sampler: Sampler) -> None:
    sampler.watched_s = 20.0
    usual, slow = sampler.watch(lambda: None), sampler.watch(lambda: None, lambda: 50.0)
    assert sampler.interval_s == 20
    quick = sampler.watch(lambda: None, lambda: 0.5)
    assert sampler.interval_s == 0.5
    quick()
    usual()
    assert sampler.interval_s == 50
    slow()
    assert sampler.interval_s == ASLEEP_S


def test_one_watcher_that_fails_keeps_the_others_from_nothing(
    sampler: Sampler, caplog: pytest.LogCaptureFixture
) -> None:
    def failing() -> None:
        msg = "no"
        raise ValueError(msg)

    seen = Counting()
    sampler.watch(failing)
    sampler.watch(seen)
    assert seen.several.wait(20)
    assert "the sampler could not do its work" in caplog.text


def test_what_it_costs_is_known_after_the_first_look(sampler: Sampler) -> None:
    assert Sampler().record() == {"interval_s": ASLEEP_S, "tick_s": None, "share": None}
    seen = Counting()
    sampler.watch(seen)
    assert seen.several.wait(20)
    record = sampler.record()
    assert record["interval_s"] == 0.01
    assert record["tick_s"] is not None
    assert record["share"] == pytest.approx(record["tick_s"] / 0.01)


def test_stopped_it_leaves_no_thread_and_can_begin_again() -> None:
    one = Sampler()
    before = names().count("tfmagic-sampler")
    one.start()
    one.start()
    assert names().count("tfmagic-sampler") == before + 1
    one.stop()
    assert names().count("tfmagic-sampler") == before
    one.watched_s = 0.01
    one.start()
    seen = Counting()
    one.watch(seen)
    assert seen.several.wait(20)
    one.stop()
    assert names().count("tfmagic-sampler") == before


def test_who_watched_before_it_stopped_watches_when_it_begins_again(sampler: Sampler) -> None:
    seen = Counting()
    end = sampler.watch(seen)
    sampler.stop()
    seen.calls = 0
    seen.several.clear()
    sampler.start()
    assert seen.several.wait(20)
    end()


def test_the_settings_editor_takes_the_intervals_that_the_kernel_takes() -> None:
    schema = json.loads((CHECKOUT / "labextension" / "schema" / "plugin.json").read_text(encoding="utf-8"))
    interval = schema["properties"]["interval"]
    assert (interval["minimum"], interval["maximum"]) == INTERVALS_S
    assert "from {:g} to {:g}".format(*INTERVALS_S) in interval["description"]
