"""A word before memory is short: once a model, and again after there was enough."""

from __future__ import annotations

import pytest

from tfmagic.core.notices import notices
from tfmagic.runtime.memory import container_warning as module
from tfmagic.runtime.memory.container_warning import ContainerWarning

LIMIT = 1_000_000_000


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    return lines


def used(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.setattr(module, "container_limit", lambda: (None if count is None else LIMIT, count))


def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what has one more entry after each look at the limit."""
    looked: list[int] = []

    def limit() -> tuple[int, int]:
        looked.append(1)
        return LIMIT, 0

    monkeypatch.setattr(module, "container_limit", limit)
    return looked


def test_what_fits_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    used(monkeypatch, 500_000_000)
    ContainerWarning().check("net", 400_000_000)
    assert said == []


def test_what_comes_near_the_limit_is_said_once(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    used(monkeypatch, 900_000_000)
    warning = ContainerWarning()
    warning.check("net", 300_000_000)
    warning.check("net", 300_000_000)
    (line,) = said
    assert line == (
        "memory is short: net needs about 300 MB, and the container has 100 MB left of 1 GB; beyond that limit the "
        "kernel is killed without a message. Make room with %tf_model park or drop"
    )
    warning.check("other", 300_000_000)
    assert len(said) == 2


def test_it_is_said_again_after_there_was_enough(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    warning = ContainerWarning()
    for count in (960_000_000, 100_000_000, 960_000_000):
        used(monkeypatch, count)
        warning.check("net", 0)
    assert len(said) == 2
    assert said[0].startswith("memory is short: net is run, and the container has 40 MB left")


def test_before_runs_it_looks_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = looks(monkeypatch)
    warning = ContainerWarning()
    for _ in range(50):
        warning.before_run("net", None)
    assert len(looked) == 1


def test_without_a_limit_it_never_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    used(monkeypatch, None)
    warning = ContainerWarning()
    warning.before_run("net", None)
    used(monkeypatch, 999_999_999)
    warning._checked_s = float("-inf")
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    warning.before_run("net", None)
    assert lines == []


def test_of_small_models_that_come_fast_it_looks_once_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = looks(monkeypatch)
    warning = ContainerWarning()
    for _ in range(100):
        warning.before_load("net", 50_000)
    assert len(looked) == 1 + 4
    warning.before_load("large", 2_000_000)
    assert len(looked) == 6
