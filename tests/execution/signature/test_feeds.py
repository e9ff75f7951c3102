"""How inputs are given, and what is said of one that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, write_frozen

from tfmagic import models
from tfmagic.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


@pytest.fixture
def linear(tmp_path: Path) -> Any:
    """``y = 2 * x + 1`` for rows of two."""
    return models.add("net", frozen_linear(tmp_path / "net.pb"))


def typed(folder: Path, **dtypes: tuple[Any, list[int | None]]) -> Any:
    """Return a model whose output of each name is its input of that name, unchanged."""

    def build() -> None:
        for name, (dtype, shape) in dtypes.items():
            tf.identity(v1.placeholder(dtype, shape, name), name=f"{name}_out")

    return models.add("net", write_frozen(folder / "typed.pb", build), replace=True)


def test_one_input_by_position_by_name_and_in_a_dict(linear: Any) -> None:
    for given in (linear(X), linear(x=X), linear({"x": X}), linear.run(X).y, linear.run({"x": X}).y):
        np.testing.assert_array_equal(given, 2 * X + 1)


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        X.astype(np.float64),
        X.astype(np.int64),
        X.astype(np.uint8),
        X.astype(np.float16),
        np.asfortranarray(X),
        X[::1].copy()[:, :],
        tf.constant(X),
        tf.Variable(X),
        np.ma.masked_array(X),
        [np.array([1, 2], np.float32), np.array([3, 4], np.float32)],
        [tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])],
        np.array([[True, False], [True, True]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_holds_numbers_is_taken(linear: Any, value: Any) -> None:
    np.testing.assert_array_equal(linear(value), 2 * np.asarray(value, np.float32) + 1)


def test_scalars_text_and_bytes(tmp_path: Path) -> None:
    model = typed(tmp_path, number=(tf.float32, []), words=(tf.string, [None]), flag=(tf.bool, []))
    given = model.run(number=3, words=["ä", b"b"], flag=True)
    assert given.number_out == 3.0
    assert given.words_out.tolist() == ["ä".encode(), b"b"]
    assert bool(given.flag_out)
    assert model.run(words=np.array(["a", "b"])).words_out.tolist() == [b"a", b"b"]


def test_an_empty_batch_is_a_batch(linear: Any, tmp_path: Path) -> None:
    assert linear(np.zeros((0, 2))).shape == (0, 2)
    model = typed(tmp_path, ids=(tf.int32, [None]), words=(tf.string, [None]))
    assert model.run(ids=[], words=[]).ids_out.shape == (0,)


def test_what_was_fed_may_be_written_to_afterwards(linear: Any) -> None:
    fed = np.zeros((2, 2), np.float32)
    given = linear(fed)
    fed[:] = 100
    np.testing.assert_array_equal(given, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros((2, 3), np.float32), r"net: input 'x' takes float32 \(\?, 2\), got \(2, 3\)$"),
        (np.zeros(2, np.float32), r"got \(2,\): a batch of one is np\.expand_dims\(…, 0\)$"),
        (np.zeros((1, 2, 2), np.float32), r"takes float32 \(\?, 2\), got \(1, 2, 2\)$"),
        (3.0, r"takes float32 \(\?, 2\), got \(\)$"),
        ([["a", "b"]], "net: input 'x' takes float32, got text"),
        ([[1j, 2j]], "net: input 'x' takes float32, got complex128"),
        ([[1.0], [1.0, 2.0]], "net: input 'x' cannot become an array: "),
        (None, r"net: input 'x' takes float32 \(\?, 2\), got NoneType"),
        (object(), "got object, of which NumPy makes no array of numbers"),
        ({1, 2}, "got set"),
        (np.array([["2020-01-01", "2020-01-02"]], "datetime64[D]"), r"takes float32, got datetime64\[D\]"),
    ],
)
def test_a_wrong_dtype_rank_or_size_is_told_before_the_native_call(linear: Any, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        linear(value)
    assert linear.record()["calls"] == 0


@pytest.mark.parametrize(
    ("dtype", "value", "said"),
    [
        (tf.int32, np.array([1.5]), r"takes int32, got float64: say how to round.*np\.round\(…\)\.astype\('int32'\)"),
        (tf.int32, [1.0], "takes int32, got float64"),
        (tf.uint8, [1, 256], "takes uint8, got int64, and 1 to 256 does not fit"),
        (tf.uint8, [-1], "takes uint8, got int64, and -1 to -1 does not fit"),
        (tf.int32, [2**40], "takes int32, got int64"),
        (tf.int64, np.array([2**63], np.uint64), "takes int64, got uint64"),
        (tf.bool, [1, 0], "takes bool, got int64"),
        (tf.bool, [0.5], "takes bool, got float64"),
        (tf.string, [1, 2], r"takes text \(str or bytes\), got int64"),
        (tf.string, ["a", None], r"takes text \(str or bytes\), got a NoneType"),
        (tf.float32, ["1.0"], "takes float32, got text"),
        (tf.float32, [2**200], "of which NumPy makes no array of numbers"),
    ],
)
def test_a_value_that_would_lose_something_is_refused(tmp_path: Path, dtype: Any, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"net: input 'v' {said}|net: input 'v' .*{said}"):
        typed(tmp_path, v=(dtype, [None]))(v=value)


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (tf.float32, np.array([0.1]), np.array([0.1], np.float32)),
        (tf.float16, np.array([1.5]), np.array([1.5], np.float16)),
        (tf.uint8, [0, 255], np.array([0, 255], np.uint8)),
        (tf.int8, np.array([-128]), np.array([-128], np.int8)),
        (tf.int64, np.array([7], np.uint64), np.array([7], np.int64)),
        (tf.float64, np.array([3], np.int8), np.array([3], np.float64)),
        (tf.complex64, [1.0], np.array([1], np.complex64)),
        (tf.float32, [True], np.array([1], np.float32)),
    ],
)
def test_a_value_of_the_same_kind_or_a_narrower_one_is_converted(
    tmp_path: Path, dtype: Any, value: Any, expected: Any
) -> None:
    given = typed(tmp_path, v=(dtype, [None]))(v=value)
    assert given.dtype == expected.dtype
    np.testing.assert_array_equal(given, expected)


def test_bfloat16_is_taken_from_ordinary_floats(tmp_path: Path) -> None:
    given = typed(tmp_path, v=(tf.bfloat16, [None]))([1.0, 2.0])
    assert given.astype(np.float32).tolist() == [1.0, 2.0]


def test_a_number_too_large_for_the_dtype_is_refused(tmp_path: Path) -> None:
    model = typed(tmp_path, v=(tf.float32, [None]))
    with pytest.raises(InputError, match=r"net: input 'v' takes float32, got float64, and .*does not fit"):
        model([1e300])
    assert np.isinf(model([np.inf]))


def test_missing_unknown_and_doubled_inputs(tmp_path: Path, linear: Any) -> None:
    with pytest.raises(InputError, match=r"net needs input 'x' \(float32 \(\?, 2\)\): give x=…"):
        linear()
    with pytest.raises(InputError, match=r"net has no input 'z' \(there is: x\)"):
        linear(x=X, z=X)
    with pytest.raises(InputError, match=r"net: input 'x' is given twice"):
        linear({"x": X}, x=X)
    several = typed(tmp_path, left=(tf.float32, [None]), right=(tf.float32, [None]))
    with pytest.raises(InputError, match=r"net has no input 'lef' \(did you mean 'left'\?\)"):
        several(lef=[1.0])
    with pytest.raises(InputError, match=r"net takes 2 inputs, so each needs its name: left=… right=…"):
        several([1.0])


@pytest.mark.parametrize("call", [lambda model: model, lambda model: model.run, lambda model: model.timed])
def test_several_inputs_without_names_are_refused(linear: Any, call: Any) -> None:
    with pytest.raises(InputError, match=r"takes one input without a name, and 2 were given: .*\(x=… y=…\)"):
        call(linear)(1.0, 2.0)


def test_a_value_without_a_name_beside_every_input_is_refused(linear: Any) -> None:
    (name,) = [spec.name for spec in linear.signature().inputs]
    with pytest.raises(InputError, match=rf"a value without a name was given beside every input \({name}\)"):
        linear(1.0, **{name: 1.0})


def test_the_one_input_that_is_left_needs_no_name(tmp_path: Path) -> None:
    several = typed(tmp_path, left=(tf.float32, [None]), right=(tf.float32, [None]))
    assert several.run([1.0], right=[2.0]).left_out.tolist() == [1.0]


def test_a_model_without_inputs_takes_none(tmp_path: Path) -> None:
    model = models.add("net", write_frozen(tmp_path / "net.pb", lambda: tf.constant(3.0, name="c")), outputs="c")
    assert float(model()) == 3.0
    with pytest.raises(InputError, match="net takes no input, and one was given"):
        model(1.0)
    with pytest.raises(InputError, match="net takes no input, and 'x' was given"):
        model(x=1.0)


def test_a_symbolic_tensor_is_no_value(linear: Any) -> None:
    with tf.Graph().as_default():
        symbolic = tf.zeros([1, 2], name="zeros")
    with pytest.raises(InputError, match=r"input 'x' got the symbolic tensor 'zeros:0', which has no value yet"):
        linear(symbolic)


def test_a_free_rank_is_not_checked(tmp_path: Path) -> None:
    def build() -> None:
        tf.identity(v1.placeholder(tf.float32, None, "v"), name="out")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build))
    for shape in ((), (2,), (1, 2, 3)):
        assert model(np.zeros(shape)).shape == shape
