"""Values of other libraries that NumPy would take wrongly, or not at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from factories import add_cell, write_frozen

from tfmagic import models
from tfmagic.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1


def echo(folder: Path, **dtypes: tuple[Any, list[int | None]]) -> Any:
    """Return a model whose output of each name is its input of that name, unchanged."""

    def build() -> None:
        for name, (dtype, shape) in dtypes.items():
            tf.identity(v1.placeholder(dtype, shape, name), name=f"{name}_out")

    return models.add("net", write_frozen(folder / "echo.pb", build), replace=True)


def with_default(folder: Path) -> Any:
    """Return ``total = age + bonus``, where the bonus has a default."""

    def build() -> None:
        age = v1.placeholder(tf.float32, [None], "age")
        tf.add(age, v1.placeholder_with_default([100.0], [None], "bonus"), name="total")

    return models.add("net", write_frozen(folder / "default.pb", build))


# -- NumPy -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", "<f4"])
def test_an_array_of_another_byte_order_keeps_its_values(tmp_path: Path, dtype: str) -> None:
    assert echo(tmp_path, v=(tf.float32, [None]))(np.array([1, 2, 3], dtype)).tolist() == [1, 2, 3]


def test_another_byte_order_where_no_dtype_is_known() -> None:
    assert models.add("net", tf.function(lambda x: x + 1))(np.array([1, 2], ">f4")).tolist() == [2, 3]


def test_masked_values_are_refused(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None]))
    with pytest.raises(InputError, match=r"input 'v' got a masked array with values masked out: give array\.filled"):
        model(np.ma.masked_array(np.array([1, 2], np.float32), [False, True]))
    assert model(np.ma.masked_array(np.array([1, 2], np.float32))).tolist() == [1, 2]


def test_a_value_that_does_not_fit_gives_no_warning(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="does not fit"):
            model([1e300])


# -- text --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts", [[b"ab\x00"], [b"\x00"], ["a", b"\xff"], np.array([b"a\x00", "b"], object), (tf.constant("x"), "y")]
)
def test_text_comes_back_as_it_was(tmp_path: Path, texts: Any) -> None:
    plain = [one.numpy() if hasattr(one, "numpy") else one for one in texts]
    expected = [one.encode() if isinstance(one, str) else one for one in plain]
    assert echo(tmp_path, v=(tf.string, [None]))(texts).tolist() == expected


def test_one_text_and_rows_of_text(tmp_path: Path) -> None:
    model = echo(tmp_path, one=(tf.string, []), rows=(tf.string, [None, 2]))
    given = model.run(one=b"a\x00", rows=[["a", "b"], ["c", "d"]])
    assert given.one_out == b"a\x00"
    assert given.rows_out.tolist() == [[b"a", b"b"], [b"c", b"d"]]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["a", 3], "takes text (str or bytes), got a int"),
        ([["a"], ["b", "c"]], "the rows of this list are of different lengths"),
        (pd.Series(["a", None]), "takes text (str or bytes), got a "),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        echo(tmp_path, v=(tf.string, [None]))(value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "texts", [pd.Series(["a", "b"]), ["a", "b"], np.array(["a", "b"]), np.array(["a", "b"], object)]
)
def test_text_where_no_dtype_is_known(texts: Any) -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.StringLookup(vocabulary=["a", "b"])
    assert models.add("net", layer)(texts).tolist() == [1, 2]


def test_numbers_among_text_are_refused_where_no_dtype_is_known() -> None:
    model = models.add("net", tf.function(lambda x: x))
    with pytest.raises(InputError, match="net: input 'x' takes an array, got a int among text"):
        model(["a", 3])
    with pytest.raises(InputError, match="takes an array, got NoneType, of which NumPy makes no array of numbers"):
        model(None)


# -- dtypes that NumPy does not know -----------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (tf.constant([1.5], tf.bfloat16), tf.float32, [1.5]),
        (tf.constant([1.5], tf.bfloat16), tf.bfloat16, [1.5]),
        (tf.constant([1.5], tf.float16), tf.bfloat16, [1.5]),
        (tf.constant([1.5], tf.bfloat16).numpy(), tf.float64, [1.5]),
    ],
)
def test_floats_of_machine_learning(tmp_path: Path, value: Any, dtype: Any, expected: list[float]) -> None:
    assert echo(tmp_path, v=(dtype, [None]))(value).astype(float).tolist() == expected


def test_a_float_of_machine_learning_is_no_integer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes int32, got bfloat16"):
        echo(tmp_path, v=(tf.int32, [None]))(tf.constant([1.5], tf.bfloat16))


def test_a_quantised_input_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"net: input 'v' takes qint8, which no array has, so it cannot be fed"):
        echo(tmp_path, v=(tf.qint8, [None]))([1])


# -- sparse and ragged -------------------------------------------------------------


def test_sparse_and_uneven_ragged_tensors_are_refused(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None, 2]))
    with pytest.raises(InputError, match=r"got a SparseTensor, which cannot be fed: give tf\.sparse\.to_dense"):
        model(tf.sparse.from_dense([[1.0, 0.0]]))
    with pytest.raises(InputError, match=r"RaggedTensor with rows of different lengths.* give its to_tensor\(\)"):
        model(tf.ragged.constant([[1.0], [2.0, 3.0]]))


def test_an_even_ragged_tensor_is_an_array(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None, 2]), w=(tf.string, [None, 1]))
    assert model.run(v=tf.ragged.constant([[1.0, 2.0], [3.0, 4.0]])).v_out.tolist() == [[1, 2], [3, 4]]
    assert model.run(w=tf.ragged.constant([["a"], ["b"]])).w_out.tolist() == [[b"a"], [b"b"]]


# -- pandas ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [True, False], "b": [0.5, 1.5]}),
        pd.DataFrame({"a": [1, 0], "b": [0.5, 1.5]}).astype({"a": "Int64"}),
        pd.DataFrame({"a": [1, 0], "b": [0.5, 1.5]}).astype({"a": "boolean", "b": "Float64"}),
        pd.DataFrame({"a": [1, 0], "b": [0.5, 1.5]}).astype({"a": "UInt8", "b": "float32"}),
    ],
    ids=["bool", "Int64", "boolean and Float64", "UInt8"],
)
def test_a_table_of_several_kinds_of_number_is_one_matrix(tmp_path: Path, frame: Any) -> None:
    assert echo(tmp_path, v=(tf.float32, [None, 2]))(frame).tolist() == [[1, 0.5], [0, 1.5]]


def test_missing_values_are_told_with_their_column(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None, 2]))
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([1, None], "Int64")})
    with pytest.raises(InputError, match=r"net: input 'v' got missing values \(NA\) in column 'b': drop the rows"):
        model(frame)
    with pytest.raises(InputError, match=r"net: input 'v' got missing values \(NA\): drop the rows"):
        model(pd.Series([1, None], dtype="Int64"))


def test_nan_of_numpy_is_a_number(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [True, False], "b": [0.5, np.nan]})
    assert np.isnan(echo(tmp_path, v=(tf.float32, [None, 2]))(frame)[1, 1])


def test_a_table_may_lack_the_column_of_an_optional_input(tmp_path: Path) -> None:
    model = with_default(tmp_path)
    assert model(pd.DataFrame({"age": [1.0, 2.0], "label": [0, 1]})).tolist() == [101, 102]
    assert model(pd.DataFrame({"age": [1.0], "bonus": [5.0]})).tolist() == [6]


def test_an_input_by_name_beside_a_table_stands_for_its_column(tmp_path: Path) -> None:
    model = echo(tmp_path, a=(tf.float32, [None]), b=(tf.float32, [None, 1]), c=(tf.float32, [None]))
    frame = pd.DataFrame({"a": [1.0], "b": [2.0], "label": [9]})
    given = model.run(frame, c=[3.0])
    assert [given.a_out.tolist(), given.b_out.tolist(), given.c_out.tolist()] == [[1], [[2]], [3]]


def test_a_column_by_name_has_the_form_that_it_has_in_a_table(tmp_path: Path) -> None:
    model = echo(tmp_path, age=(tf.float32, [None, 1]))
    frame = pd.DataFrame({"other": pd.array([1, 2], "Int64")})
    assert model(age=frame["other"]).tolist() == [[1], [2]]
    assert model({"age": frame["other"]}).tolist() == [[1], [2]]


# -- tf.data -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 1, 2, 3])
def test_single_numbers_of_a_dataset_are_a_column(tmp_path: Path, size: int | None) -> None:
    model = echo(tmp_path, age=(tf.float32, [None, 1]))
    numbers = tf.data.Dataset.from_tensor_slices({"age": [1.0, 2.0, 3.0]})
    given = numbers if size is None else numbers.batch(size)
    assert model(given).tolist() == [[1], [2], [3]]
    assert model(age=given).tolist() == [[1], [2], [3]]
    assert model(age=given.map(lambda row: row["age"])).tolist() == [[1], [2], [3]]


def test_what_a_dataset_has_beside_the_inputs_is_left_out(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None]))
    rows = tf.data.Dataset.from_tensor_slices({"v": [1.0, 2.0], "label": ["a", "b"]})
    assert model(rows).tolist() == [1, 2]
    assert model(rows.padded_batch(2)).tolist() == [1, 2]


def test_batches_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    model = echo(tmp_path, v=(tf.float32, [None, None]))
    rows = tf.data.Dataset.from_generator(
        lambda: iter([np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)]),
        output_signature=tf.TensorSpec([None, None]),
    )
    with pytest.raises(InputError, match=r"do not go together: shapes \(2, 3\) and \(2, 4\)$"):
        model(rows)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_advice_for_tuples_is_right(tmp_path: Path, width: int) -> None:
    model = echo(tmp_path, v=(tf.float32, [None]))
    rows = tf.data.Dataset.from_tensor_slices(tuple([1.0, 2.0] for _ in range(width)))
    with pytest.raises(InputError, match=rf"tuples of {width} for elements") as refused:
        model(rows)
    code = (
        str(refused.value).partition("give ")[2].partition(", ")[0] if width == 1 else "dataset.map(lambda x, *rest: x)"
    )
    assert code in str(refused.value)
    assert model(eval(code, {"dataset": rows})).tolist() == [1, 2]  # noqa: S307 - the advice that was given


# -- names ---------------------------------------------------------------------------


def test_a_name_that_cannot_be_typed_is_shown_in_a_mapping() -> None:
    code = """
        import tensorflow as tf
        v1 = tf.compat.v1
        with tf.name_scope("in"):
            x = v1.placeholder(tf.float32, [None], name="x")
        y = v1.placeholder(tf.float32, [None], name="y")
        total = x + y
    """
    model = add_cell("net", code).model
    with pytest.raises(InputError, match=r'give \{"in/x": …\}$'):
        model(y=[1.0])
    with pytest.raises(InputError, match=r'each needs its name: \{"in/x": …, "y": …\}$'):
        model([1.0])
    assert model({"in/x": [1.0], "y": [2.0]}).tolist() == [3]


def test_two_placeholders_of_one_name_are_two_inputs() -> None:
    code = """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None])
        y = v1.placeholder(tf.float32, [None], name="x")
        difference = x - y
    """
    model = add_cell("net", code).model
    assert [spec.name for spec in model.signature().inputs] == ["Placeholder", "x"]
    assert model({"Placeholder": [5.0], "x": [1.0]}).tolist() == [4]


def test_two_outputs_of_one_name_are_two_outputs() -> None:
    code = """
        import tensorflow as tf
        v1 = tf.compat.v1
        a = v1.placeholder(tf.float32, [None], name="a")
        y = a + 1.0
        z = tf.add(a, 2.0, name="y")
    """
    given = add_cell("net", code).model.run([0.0])
    assert {name: value.tolist() for name, value in given.items()} == {"y": [1], "z": [2]}
