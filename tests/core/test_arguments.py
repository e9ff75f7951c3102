"""Batch sizes, repetitions and seconds: what counts as one, and the one line for what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfmagic.core.arguments import seconds, whole_number
from tfmagic.errors import InputError


@pytest.mark.parametrize(("given", "count"), [(1, 1), (32, 32), (np.int64(7), 7), ("12", 12), (" 3 ", 3)])
def test_a_whole_number_is_taken_as_number_or_text(given: Any, count: int) -> None:
    assert whole_number("--repeat", given) == count


@pytest.mark.parametrize("given", [0, -1, 1.5, 2.0, "0", "-1", "1.5", "abc", "", None, True, [1], float("nan")])
def test_anything_else_is_no_whole_number(given: Any) -> None:
    with pytest.raises(InputError) as refused:
        whole_number("--repeat", given)
    assert str(refused.value) == f"--repeat takes a whole number from 1 on, got {given}"


@pytest.mark.parametrize(
    ("given", "duration"), [(1, 1.0), (0.25, 0.25), (np.float32(2), 2.0), ("1.5", 1.5), ("1e-3", 0.001)]
)
def test_seconds_are_taken_as_number_or_text(given: Any, duration: float) -> None:
    assert seconds("timeout", given) == duration


@pytest.mark.parametrize("given", [0, -1, "0", "-2", "soon", "", None, True, "nan", "inf", float("inf"), [1]])
def test_anything_else_is_no_number_of_seconds(given: Any) -> None:
    with pytest.raises(InputError) as refused:
        seconds("timeout", given)
    assert str(refused.value) == f"timeout takes a number of seconds above 0, got {given}"
