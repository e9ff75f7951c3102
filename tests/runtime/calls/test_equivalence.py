"""Two ways to make a call are told apart by what they make of numbers that did not come yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.runtime.calls.equivalence import equivalent_call, where_finite

ZEROS = [np.zeros((2, 8), np.float32)]


def alike(usual: Any, other: Any, values: Any) -> bool:
    """Return whether the other call is taken as it is."""
    return equivalent_call(usual, other, values) is other


def double(x: Any) -> list[Any]:
    return [2 * x]


def test_the_same_is_alike() -> None:
    assert alike(double, lambda x: [x + x], ZEROS)


def test_zeros_hide_no_difference() -> None:
    assert not alike(double, lambda x: [3 * x], ZEROS)


def test_a_difference_in_rounding_is_no_difference() -> None:
    assert equivalent_call(double, lambda x: [np.nextafter(2 * x, np.float32(9))], ZEROS) is not None


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_tried(odd: float) -> None:
    def other(x: Any) -> list[Any]:
        return [np.where(np.isnan(x) if np.isnan(odd) else x == odd, 0, 2 * x).astype(np.float32)]

    assert not alike(double, other, ZEROS)


def test_what_differs_in_numbers_that_are_none_alone_is_alike_where_finite() -> None:
    def swallowing(x: Any) -> list[Any]:
        return [np.nan_to_num(x, posinf=0, neginf=0).sum(axis=1)]

    def passing(x: Any) -> list[Any]:
        return [x.sum(axis=1)]

    with np.errstate(all="ignore"):
        guarded = equivalent_call(swallowing, passing, ZEROS)
        assert guarded not in {None, passing}
        odd = np.full((2, 8), np.nan, np.float32)
        np.testing.assert_array_equal(guarded(odd)[0], swallowing(odd)[0])


def test_inputs_count_where_the_result_does_not_show_them() -> None:
    guarded = where_finite(lambda _: [np.zeros(1, np.float32)], lambda _: [np.ones(1, np.float32)])
    assert guarded(np.ones(3, np.float32))[0] == 0
    assert guarded(np.array([1, np.inf], np.float32))[0] == 1


@pytest.mark.parametrize("value", [1e30, 1.0, np.nan])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_numbers_are_finite(value: float, dtype: type) -> None:
    with np.errstate(over="ignore"):
        result: Any = np.full((2, 3), value, dtype)
    (found,) = where_finite(lambda: [result], lambda: ["other"])()
    assert (found is result) == np.isfinite(result).all()


def test_texts_and_whole_numbers_are_as_they_come() -> None:
    results = [np.array([b"a"], object), np.array([1]), b"text"]
    assert where_finite(lambda: results, list)() is results


def test_what_the_usual_way_refuses_is_not_asked_of_the_other() -> None:
    def positive(x: Any) -> list[Any]:
        if (np.nan_to_num(x) < 0).any() or not np.isfinite(x).all():
            msg = "negative"
            raise ValueError(msg)
        return [x]

    guarded = equivalent_call(positive, lambda x: [x], ZEROS)
    assert guarded is not None
    assert (guarded(*ZEROS)[0] == 0).all()
    with pytest.raises(ValueError, match="negative"):
        guarded(np.full(3, np.nan))


def test_where_nothing_could_be_compared_it_is_not_taken() -> None:
    def failing(_: Any) -> list[Any]:
        raise ValueError

    assert equivalent_call(failing, double, ZEROS) is None


def test_another_way_that_fails_is_not_alike() -> None:
    def failing(_: Any) -> list[Any]:
        raise ValueError

    assert not alike(double, failing, ZEROS)


def test_a_call_that_takes_its_time_is_made_twice_and_guarded() -> None:
    made = []

    def slow(x: Any) -> list[Any]:
        made.append(x)
        return [2 * x]

    assert equivalent_call(double, slow, ZEROS, is_long=True) not in {None, slow}
    assert len(made) == 2
    assert equivalent_call(double, lambda x: [3 * x], ZEROS, is_long=True) is None


def test_nothing_more_is_tried_once_nobody_waits() -> None:
    scope, made = CancelScope(), []

    def interrupted(x: Any) -> list[Any]:
        made.append(x)
        scope.cancel()
        return [x]

    with scope, pytest.raises(KeyboardInterrupt):
        equivalent_call(interrupted, lambda x: [x], ZEROS)
    assert len(made) == 1
