"""How far two outputs agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfmagic.model.several import agreement as agreement_module
from tfmagic.model.several.agreement import agreement, classes, same_class


def floats(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def test_numbers_differ_by_their_largest_and_mean_absolute_difference() -> None:
    found = agreement(floats(1, 2, 3, 4), floats(1, 2.5, 3, 2))
    assert found["largest"] == 2
    assert found["mean"] == pytest.approx(2.5 / 4)
    assert (found["nan_apart"], found["values"], found["equal"]) == (0, 4, None)


def test_nan_in_both_is_no_difference_and_nan_in_one_is_counted_apart() -> None:
    found = agreement(floats(np.nan, np.nan, 1, 5), floats(np.nan, 1, 1, 4))
    assert found["nan_apart"] == 1
    assert found["largest"] == 1
    assert found["mean"] == pytest.approx(1 / 3)


def test_nan_everywhere_in_one_leaves_no_difference() -> None:
    found = agreement(floats(np.nan, np.nan), floats(1, 2))
    assert (found["largest"], found["mean"], found["nan_apart"]) == (None, None, 2)


def test_the_same_infinity_is_no_difference_and_another_is_an_infinite_one() -> None:
    same = agreement(floats(np.inf, -np.inf), floats(np.inf, -np.inf))
    assert (same["largest"], same["mean"]) == (0, 0)
    assert agreement(floats(np.inf, 1), floats(5, 1))["largest"] == np.inf
    assert agreement(floats(np.inf), floats(-np.inf))["largest"] == np.inf


def test_differences_of_small_floats_are_exact() -> None:
    one, other = np.array([60000.0], np.float16), np.array([-60000.0], np.float16)
    assert agreement(one, other)["largest"] == 120_000  # more than float16 holds
    bfloat = tf.constant([1.0, 2.0], tf.bfloat16).numpy()
    assert agreement(bfloat, bfloat + bfloat)["largest"] == 2


def test_whole_numbers_truths_and_text_have_a_share_of_equal_values() -> None:
    big = np.array([2**62, 2**62 + 1, 3])
    found = agreement(big, np.array([2**62, 2**62, 3]))
    assert found["equal"] == pytest.approx(2 / 3)
    assert (found["largest"], found["mean"], found["same_argmax"]) == (None, None, None)
    assert agreement(np.array([True, False]), np.array([True, True]))["equal"] == 0.5
    text = np.array([b"a", b"b", "é".encode()], object)
    assert agreement(text, np.array(["a", b"c", "é"], object))["equal"] == pytest.approx(2 / 3)


def test_a_single_value_is_compared_too() -> None:
    assert agreement(np.float32(1), np.float32(1.5))["largest"] == 0.5
    assert agreement(np.int64(1), np.int64(1))["equal"] == 1


def test_complex_numbers_differ_by_their_distance() -> None:
    assert agreement(np.array([3 + 4j]), np.array([0j]))["largest"] == 5


def test_rows_of_scores_have_a_share_of_equal_argmax() -> None:
    one = floats([0.1, 0.9], [0.8, 0.2], [0.6, 0.4])
    other = floats([0.2, 0.8], [0.3, 0.7], [0.9, 0.1])
    assert agreement(one, other)["same_argmax"] == pytest.approx(2 / 3)
    assert agreement(one[None], other[None])["same_argmax"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "array", [floats(1, 2), floats([1], [2]), np.array([[1, 2]]), np.zeros((0, 3), np.float32), np.array([[1j, 2j]])]
)
def test_what_are_no_scores_has_no_argmax(array: np.ndarray) -> None:
    assert agreement(array, array)["same_argmax"] is None


def test_a_row_with_nan_is_the_same_only_as_one_with_the_same_nan() -> None:
    one = floats([np.nan, 1], [np.nan, 1], [2, 1])
    other = floats([np.nan, 5], [2, 1], [np.nan, 1])
    assert same_class(one, other).tolist() == [True, False, False]
    assert classes(one).tolist() == [-1, -1, 0]


def test_nothing_has_no_agreement() -> None:
    empty = np.zeros((0,), np.float32)
    assert agreement(empty, empty) == {
        "largest": None,
        "mean": None,
        "nan_apart": 0,
        "values": 0,
        "same_argmax": None,
        "equal": None,
    }


def test_large_outputs_are_looked_at_in_pieces_with_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(50, 7)).astype(np.float32)
    other = one + rng.normal(size=one.shape).astype(np.float32)
    other[3, 2] = np.nan
    whole = agreement(one, other)
    monkeypatch.setattr(agreement_module, "_CHUNK", 16)
    parts = agreement(one, other)
    assert parts["mean"] == pytest.approx(whole["mean"])
    assert {**parts, "mean": 0} == {**whole, "mean": 0}
    np.testing.assert_array_equal(classes(one), one.argmax(-1))
