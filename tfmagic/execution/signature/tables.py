"""Tables as inputs: pandas, and ``tf.data`` as one batch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfmagic.execution.signature.signature import TensorSpec


def is_pandas(value: Any) -> bool:
    """Return whether this is a pandas ``DataFrame`` or ``Series``."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series))


def is_column(value: Any) -> bool:
    """Return whether this is a pandas ``Series``: one column of a table."""
    return is_pandas(value) and value.ndim == 1


def columns_of(value: Any) -> list[str] | None:
    """Return the column names of a pandas ``DataFrame``, None for anything else."""
    return [str(column) for column in value.columns] if is_pandas(value) and value.ndim == 2 else None


def numbers_of(model: str, spec: TensorSpec, value: Any) -> Any:
    """Return a table or column as an array of numbers if it has numbers only; pandas itself makes objects of some."""
    pandas = sys.modules["pandas"]
    columns = [value] if value.ndim == 1 else [value.iloc[:, index] for index in range(value.shape[1])]
    if not columns or not all(pandas.api.types.is_numeric_dtype(column.dtype) for column in columns):
        return value
    for column in columns:
        # NaN is a float like others; NA cannot be in an array.
        if pandas.api.types.is_extension_array_dtype(column.dtype) and column.isna().any():
            where = "" if column.name is None else f" in column {str(column.name)!r}"
            msg = f"{model}: input {spec.name!r} got missing values (NA){where}: drop the rows, or give fillna(…)"
            raise InputError(msg)
    dtypes = [getattr(column.dtype, "numpy_dtype", column.dtype) for column in columns]
    if not all(isinstance(dtype, np.dtype) for dtype in dtypes):
        return value
    return value.to_numpy(dtype=np.result_type(*dtypes))


def dataset_as_batch(model: str, value: Any, inputs: Sequence[TensorSpec]) -> Any:
    """Return a ``tf.data.Dataset`` as one batch, elements of one rank less stacked; anything else as it is."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(value, tensorflow.data.Dataset):
        return value
    if int(value.cardinality()) == tensorflow.data.INFINITE_CARDINALITY:
        msg = f"{model}: this tf.data.Dataset never ends: give dataset.take(n)"
        raise InputError(msg)
    if isinstance(value.element_spec, tuple):
        width = len(value.element_spec)
        msg = f"{model}: this tf.data.Dataset has tuples of {width} for elements"
        if width == 1:
            msg += ": give dataset.map(lambda x: x), which takes them out"
        else:
            msg += ", and order is not to be trusted: give dataset.map(lambda x, *rest: x), or dicts by input name"
        raise InputError(msg)
    elements = list(value.as_numpy_iterator())
    if not elements:
        msg = f"{model}: this tf.data.Dataset is empty"
        raise InputError(msg)
    shaped = {spec.name: spec for spec in inputs if spec.shape is not None}
    if not isinstance(elements[0], Mapping):
        return _join(model, elements, next(iter(shaped.values()), None))
    names = input_names_among(inputs, elements[0]) or set(elements[0])
    wanted = [name for name in elements[0] if name in names]
    return {name: _join(model, [element[name] for element in elements], shaped.get(name)) for name in wanted}


def input_names_among(inputs: Sequence[TensorSpec], names: Iterable[Any]) -> set[Any]:
    """Return those of `names` that are inputs, if every required input is there; a table has other columns, too."""
    required = {spec.name for spec in inputs if not spec.optional}
    return {spec.name for spec in inputs} & set(names) if required <= set(names) else set()


def _join(model: str, parts: list[Any], spec: TensorSpec | None) -> np.ndarray:
    arrays = [np.asarray(part) for part in parts]
    shape = None if spec is None else spec.shape
    one_less = shape is not None and arrays[0].ndim == len(shape) - 1
    # Batches of single numbers, for an input that takes them as a column.
    column = one_less and is_single_column(spec) and any(array.shape != (1,) for array in arrays)
    try:
        stacked = arrays[0].ndim == 0 or (one_less and not column)
        batch = np.stack(arrays) if stacked else np.concatenate(arrays)
    except ValueError:
        shapes = " and ".join(dict.fromkeys(str(array.shape) for array in arrays[:100]))
        named = "" if spec is None else f" for input {spec.name!r}"
        msg = f"{model}: the elements of this tf.data.Dataset{named} do not go together: shapes {shapes}"
        raise InputError(msg) from None
    return batch.reshape(-1, 1) if batch.ndim == 1 and is_single_column(spec) else batch


def is_single_column(spec: TensorSpec | None) -> bool:
    """Return whether an input takes single numbers as a column: ``(?, 1)``."""
    return spec is not None and spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] == 1
