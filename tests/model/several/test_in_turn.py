"""Models that have no room beside each other in the memory budget run one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import compare, models, run_all
from tfmagic.core.notices import notices
from tfmagic.errors import MemoryBudgetError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("parks_here")

# Each model takes 4 MB.
CELL = """
    x = tf.compat.v1.placeholder(tf.float32, [None], "x")
    w = tf.compat.v1.get_variable("w", initializer=tf.fill([1_000_000], {number}.0))
    y = x * w[0]
    more = tf.compat.v1.get_variable("runs", initializer=0.0).assign_add(1.0, name="more")
"""
X = np.ones(5, np.float32)


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    models.memory_budget = "6MB"
    yield lines
    models.memory_budget = ""


def add(*names: str) -> None:
    for number, name in enumerate(names, 1):
        add_cell(name, CELL.format(number=number), {"tf": tf}, outputs="y=mul")


def in_turn(lines: list[str]) -> list[str]:
    return [line for line in lines if "one after the other" in line]


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"timeout": 60.0}])
def test_two_models_with_room_for_one(options: dict[str, Any], said: list[str]) -> None:
    add("one", "two", "three")
    found = compare(["one", "two", "three"], X, **options)
    for number, name in enumerate(("one", "two", "three"), 1):
        np.testing.assert_array_equal(found[name], X * number)
    (told,) = in_turn(said)
    assert told.startswith("one and two and three have no room beside each other in the memory budget")
    assert sum(record["state"] == "ready" for record in models.records()) == 1


def test_run_all_too_and_each_is_run_once(said: list[str]) -> None:
    add("one", "two")
    found = run_all({"one": X, "two": X})
    np.testing.assert_array_equal(found["two"], X * 2)
    assert len(in_turn(said)) == 1
    assert [models.one.calls, models.two.calls] == [1, 1]


def test_what_was_trained_is_there_after_it() -> None:
    add("one", "two")
    run_cell(models.one, "session.run(w.assign_add(w))")
    for _ in range(2):
        np.testing.assert_array_equal(compare(["one", "two"], X)["one"], X * 2)


def test_a_model_that_has_no_room_alone_is_refused(said: list[str]) -> None:
    models.memory_budget = "9MB"
    add("one", "two")
    models.memory_budget = ""
    models.one.park()
    models.two.park()
    models.memory_budget = "3MB"
    with pytest.raises(MemoryBudgetError, match="more than the whole memory_budget"):
        compare(["one", "two"], X)
    assert in_turn(said) == []
