from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.calls.latency_trial import READINGS, LatencyTrial

if TYPE_CHECKING:
    from collections.abc import Callable


def taking(seconds: float, made: list[str], name: str) -> Callable[..., list[Any]]:
    def call(*values: Any) -> list[Any]:
        made.append(name)
        time.sleep(seconds)
        return list(values)

    return call


def test_ways_take_turns_and_the_quickest_is_found() -> None:
    made: list[str] = []
    trial = LatencyTrial({"slow": taking(0.01, made, "slow"), "quick": taking(0.0, made, "quick")})
    while not trial.done:
        assert trial.run([1, 2]) == [1, 2]
    assert made == ["slow", "quick"] * READINGS
    assert trial.quickest == "quick"
    assert trial.latencies_s["slow"] >= 0.01 > trial.latencies_s["quick"]


def test_the_first_call_of_a_way_does_not_count() -> None:
    waits = iter([0.2, *[0.0] * READINGS])

    def cold(*_: Any) -> list[Any]:
        time.sleep(next(waits))
        return []

    trial = LatencyTrial({"cold": cold})
    while not trial.done:
        trial.run([])
    assert trial.latencies_s["cold"] < 0.1


def test_a_way_that_comes_later_has_its_calls_before_the_trial_is_done() -> None:
    made: list[str] = []
    trial = LatencyTrial({"one": taking(0.0, made, "one")})
    for _ in range(READINGS):
        trial.run([])
    assert trial.done
    trial.ways["two"] = taking(0.0, made, "two")
    assert not trial.done
    for _ in range(READINGS):
        trial.run([])
    assert trial.done
    assert made[READINGS:] == ["two"] * READINGS


def test_a_way_that_is_forgotten_is_not_chosen() -> None:
    made: list[str] = []
    trial = LatencyTrial({"slow": taking(0.005, made, "slow"), "quick": taking(0.0, made, "quick")})
    while not trial.done:
        trial.run([])
    trial.forget("quick")
    assert trial.quickest == "slow"
    assert list(trial.latencies_s) == ["slow"]
