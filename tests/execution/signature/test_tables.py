"""Inputs from pandas and ``tf.data``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from factories import frozen_linear, write_frozen

from tfmagic import models
from tfmagic.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.arange(10, dtype=np.float32).reshape(5, 2)


@pytest.fixture
def linear(tmp_path: Path) -> Any:
    """``y = 2 * x + 1`` for rows of two."""
    return models.add("net", frozen_linear(tmp_path / "net.pb"))


@pytest.fixture
def tabular(tmp_path: Path) -> Any:
    """``total = age + weight``, with columns of two forms."""

    def build() -> None:
        age = v1.placeholder(tf.float32, [None, 1], "age")
        weight = v1.placeholder(tf.float32, [None], "weight")
        tf.add(tf.squeeze(age, 1), weight, name="total")

    return models.add("table", write_frozen(tmp_path / "table.pb", build))


def test_columns_go_by_input_name_whatever_their_order_and_company(tabular: Any) -> None:
    frame = pd.DataFrame({"name": ["a", "b"], "weight": [70.5, 80.0], "age": [30, 40]})
    np.testing.assert_array_equal(tabular(frame), [100.5, 120.0])


def test_a_frame_without_the_columns_is_one_matrix(linear: Any) -> None:
    frame = pd.DataFrame(X, columns=["a", "b"])
    np.testing.assert_array_equal(linear(frame), 2 * X + 1)
    np.testing.assert_array_equal(linear(x=frame), 2 * X + 1)


def test_a_series_is_an_array(tabular: Any) -> None:
    frame = pd.DataFrame({"w": [1.0, 2.0]}, index=[7, 9])
    np.testing.assert_array_equal(tabular(age=frame, weight=frame["w"]), [2.0, 4.0])


def test_a_column_that_is_lacking_is_named(tabular: Any) -> None:
    with pytest.raises(InputError, match="table takes 2 inputs by name, and the table has no column 'age'"):
        tabular(pd.DataFrame({"weight": [1.0]}))


def test_text_among_numbers_is_refused(linear: Any) -> None:
    with pytest.raises(InputError, match="net: input 'x' takes float32"):
        linear(pd.DataFrame({"a": [1.0], "b": ["red"]}))


def test_text_columns(tmp_path: Path) -> None:
    def build() -> None:
        tf.strings.length(v1.placeholder(tf.string, [None], "word"), name="length")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build))
    np.testing.assert_array_equal(model(pd.DataFrame({"word": ["red", "green"]})), [3, 5])
    np.testing.assert_array_equal(model(pd.Series(["red", "green"])), [3, 5])


@pytest.mark.parametrize(
    "dataset",
    [
        tf.data.Dataset.from_tensor_slices(X),
        tf.data.Dataset.from_tensor_slices(X).batch(2),
        tf.data.Dataset.from_tensors(X),
        tf.data.Dataset.from_tensor_slices({"x": X}),
        tf.data.Dataset.from_tensor_slices({"x": X}).batch(3),
        tf.data.Dataset.from_tensor_slices(X.astype(np.float64)).batch(5),
        tf.data.Dataset.from_tensor_slices(X).filter(lambda row: row[0] >= 0),
    ],
    ids=["rows", "batches", "one", "dicts", "batches of dicts", "float64", "of unknown length"],
)
def test_batches_of_a_dataset_are_joined(linear: Any, dataset: Any) -> None:
    np.testing.assert_array_equal(linear(dataset), 2 * X + 1)


def test_a_dataset_given_by_name_is_joined_too(linear: Any) -> None:
    np.testing.assert_array_equal(linear(x=tf.data.Dataset.from_tensor_slices(X).batch(2)), 2 * X + 1)


def test_a_dataset_of_scalars_is_a_vector(tabular: Any) -> None:
    elements = tf.data.Dataset.from_tensor_slices({"age": [[30.0], [40.0]], "weight": [1.0, 2.0]})
    np.testing.assert_array_equal(tabular(elements), [31.0, 42.0])
    np.testing.assert_array_equal(tabular(elements.batch(1)), [31.0, 42.0])


def test_datasets_that_are_refused(linear: Any) -> None:
    rows = tf.data.Dataset.from_tensor_slices(X)
    with pytest.raises(InputError, match=r"net: this tf\.data\.Dataset never ends: give dataset\.take\(n\)"):
        linear(rows.repeat())
    with pytest.raises(InputError, match="has tuples of 2 for elements, and order is not to be trusted"):
        linear(rows.map(lambda row: (row, 0)))
    with pytest.raises(InputError, match=r"this tf\.data\.Dataset is empty"):
        linear(rows.take(0))
    with pytest.raises(InputError, match=r"net has no input 'z'"):
        linear(tf.data.Dataset.from_tensor_slices({"z": X}))
    with pytest.raises(InputError, match=r"takes float32 \(\?, 2\), got \(5, 3\)"):
        linear(tf.data.Dataset.from_tensor_slices(np.zeros((5, 3), np.float32)))
