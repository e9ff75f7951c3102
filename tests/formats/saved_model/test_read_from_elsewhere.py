"""Models that this project did not write, with the answers that are known by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models
from tfmagic.errors import UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

HALVES = ("saved_model_half_plus_two_cpu", "saved_model_half_plus_two_tf2_cpu")


@pytest.mark.parametrize("which", HALVES)
def test_half_plus_two(savedmodels: Path, which: str) -> None:
    model = models.add("half", savedmodels / which)
    # The one takes rows of one, the other a vector of one.
    rank = len(model.signature().inputs[0].shape or ())
    given = [float(np.ravel(model(np.full((1,) * rank, x)))[0]) for x in (1.0, 2.0, 5.0)]
    assert given == [2.5, 3.0, 4.5]
    assert model.notes[0] == "version 00000123"
    assert model.default_signature == "serving_default"


@pytest.mark.parametrize("which", HALVES)
def test_half_plus_two_takes_examples_in_its_other_signatures(savedmodels: Path, which: str) -> None:
    model = models.add("half", savedmodels / which)
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[4.0]))
    example = tf.train.Example(features=tf.train.Features(feature={"x": feature})).SerializeToString()
    given = model.run([example], signature="regress_x_to_y")
    np.testing.assert_array_equal(np.ravel(next(iter(given.values()))), [4.0])


def test_the_counter_counts_and_is_reset(savedmodels: Path) -> None:
    model = models.add("counter", savedmodels / "saved_model_counter", signature="get_counter")
    assert float(model()) == 0
    assert [float(model(signature="incr_counter")) for _ in range(3)] == [1, 2, 3]
    assert float(model(signature="get_counter")) == 3
    assert float(model(10.0, signature="incr_counter_by")) == 13
    assert float(model(signature="reset_counter")) == 0
    assert float(model()) == 0


def test_the_counter_without_a_chosen_signature_names_its_four(savedmodels: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"4 signatures.*choose with --signature .*incr_counter\|"):
        models.add("counter", savedmodels / "saved_model_counter")


def test_all_of_them_run_beside_each_other(savedmodels: Path) -> None:
    one, two = (models.add(f"half{index}", savedmodels / which) for index, which in enumerate(HALVES))
    counter = models.add("counter", savedmodels / "saved_model_counter", signature="incr_counter")
    for turn in (1, 2, 3):
        assert float(counter()) == turn
        np.testing.assert_array_equal(np.ravel(one([[float(turn)]])), np.ravel(two([float(turn)])))
