"""No step grows faster than the graph: the calls that Python makes are counted, since time depends on the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.graph_shapes import SHAPES, shaped
from tfmagic import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNTS = (500, 1_000, 2_000)


def calls_made(do: Callable[[], object]) -> int:
    """Return how many functions `do` calls, those written in C included."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(None)
    return count


def life_of(shape: str, count: int, folder: Path) -> dict[str, int]:
    """Return how many calls each step of a model's life makes."""
    definition, feeds = shaped(shape, count)
    path = folder / f"of_{count}.pb"
    path.write_bytes(definition.SerializeToString())
    steps: dict[str, Callable[[], object]] = {
        "add": lambda: models.add("net", path),
        "run": lambda: models["net"](dict(feeds)),
        "record": lambda: dict(models["net"].record()),
        "trace": lambda: models["net"].run(dict(feeds), trace=True),
        "save": lambda: models["net"].save(folder / f"saved_{count}.pb"),
        "save a folder": lambda: models["net"].save(folder / f"saved_{count}"),
        "drop": lambda: models.drop("net"),
    }
    return {step: calls_made(do) for step, do in steps.items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_step_takes_more_than_linear_time(shape: str, tmp_path: Path) -> None:
    life_of(shape, 8, tmp_path)  # what happens once a process is over
    few, more, most = (life_of(shape, count, tmp_path) for count in COUNTS)
    # Twice the nodes more are twice the calls more; what grows with the square takes four times as many.
    grown = {step: (more[step] - few[step], most[step] - more[step]) for step in few}
    slow = {step: pair for step, pair in grown.items() if pair[1] > 2.5 * pair[0] + 500}
    assert not slow, slow


@pytest.mark.parametrize("given", [{"x0", "x7"}, {"x1", "x2", "x19"}])
def test_a_call_with_some_of_many_inputs_gives_what_they_suffice_for(given: set[str], tmp_path: Path) -> None:
    definition, feeds = shaped("inputs with an output each", 40)
    path = tmp_path / "many.pb"
    path.write_bytes(definition.SerializeToString())
    answers = models.add("net", path)({name: feeds[name] for name in given})
    assert set(answers) == {name.replace("x", "y") for name in given}
    np.testing.assert_array_equal(answers[min(answers)], -np.ones(2, np.float32))
