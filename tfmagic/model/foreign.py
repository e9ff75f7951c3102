"""Arrays out of what other libraries hold: tensors, pandas, ``tf.data``, lists."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError

if TYPE_CHECKING:
    from tfmagic.model.signature import TensorSpec


def array_of(model: str, spec: TensorSpec, value: Any) -> np.ndarray:
    """Return `value` as an array of the dtype that `spec` asks for.

    Raises
    ------
    InputError
        When `value` is no array-like, or its dtype cannot become the asked one
        without losing something.
    """
    if isinstance(value, np.ndarray) and value.dtype.name == spec.dtype:
        return value
    given = _plain(model, spec, value)
    if spec.dtype is None:
        return _as_tensorflow_would(value, given)
    if spec.dtype == "string":
        return _texts(model, spec, given)
    wanted = np.dtype(_numpy_name(spec.dtype))
    if given.dtype == wanted:
        return given
    if given.size == 0 and not isinstance(value, np.ndarray):
        return given.astype(wanted)  # [] has no dtype of its own
    if given.dtype.kind in "OUSV" or not _holds(given, wanted):
        raise _wrong_dtype(model, spec, given)
    with np.errstate(over="ignore"):
        converted = given.astype(wanted)
    if wanted.kind in "fcV" and given.dtype != bool:
        lost = np.isfinite(given) & ~np.isfinite(converted)
        if lost.any():
            msg = (
                f"{model}: input {spec.name!r} takes {spec.dtype}, got {given.dtype.name}, "
                f"and {given[lost].flat[0]} does not fit"
            )
            raise InputError(msg)
    return converted


def _plain(model: str, spec: TensorSpec, value: Any) -> np.ndarray:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and tensorflow.is_tensor(value):
        if not hasattr(value, "numpy"):
            msg = (
                f"{model}: input {spec.name!r} got the symbolic tensor {getattr(value, 'name', value)!r}, "
                "which has no value yet: run it first, or feed it inside %%tf_run"
            )
            raise InputError(msg)
        value = value.numpy()
    elif tensorflow is not None and isinstance(value, tensorflow.Variable):
        value = value.numpy()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        msg = f"{model}: input {spec.name!r} cannot become an array: {str(error).splitlines()[0]}"
        raise InputError(msg) from None
    if array.dtype.kind == "O" and spec.dtype != "string":
        msg = (
            f"{model}: input {spec.name!r} takes {spec.kind or 'an array'}, "
            f"got {type(value).__name__}, of which NumPy makes no array of numbers"
        )
        raise InputError(msg)
    return array


def _as_tensorflow_would(value: Any, given: np.ndarray) -> np.ndarray:
    """Return the array of a bare number or list in TensorFlow's dtype: float32, not NumPy's float64."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(value, (int, float, list, tuple)):
        return given
    try:
        array: np.ndarray = tensorflow.constant(value).numpy()
    except (ValueError, TypeError):
        return given
    return np.asarray(array)


def _numpy_name(dtype: str) -> Any:
    if dtype in {"bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"}:
        import tensorflow as tf

        return tf.as_dtype(dtype).as_numpy_dtype
    return dtype


def _holds(given: np.ndarray, wanted: np.dtype[Any]) -> bool:
    """Whether `wanted` can hold the values of `given`."""
    if wanted.kind == "V":  # ml_dtypes' floats have no kind of their own in NumPy
        return given.dtype.kind in "fiub"
    if given.dtype.kind in "iu" and wanted.kind in "iu":
        # Python's int64 lists to uint8 and the like, when the values fit.
        limits = np.iinfo(wanted)
        return not given.size or bool(int(given.min()) >= limits.min and int(given.max()) <= limits.max)
    return bool(np.can_cast(given.dtype, wanted, "same_kind"))


def _wrong_dtype(model: str, spec: TensorSpec, given: np.ndarray) -> InputError:
    kind = "text" if given.dtype.kind in "US" else given.dtype.name
    msg = f"{model}: input {spec.name!r} takes {spec.dtype}, got {kind}"
    if given.dtype.kind == "f":
        msg += f": say how to round, for example np.round(…).astype({spec.dtype!r})"
    elif given.dtype.kind in "iu" and (spec.dtype or "").lstrip("u").startswith("int"):
        msg += f", and {given.min()} to {given.max()} does not fit"
    return InputError(msg)


def _texts(model: str, spec: TensorSpec, given: np.ndarray) -> np.ndarray:
    if given.dtype.kind not in "OUS":
        if given.size == 0:
            return given.astype(object)
        msg = f"{model}: input {spec.name!r} takes text (str or bytes), got {given.dtype.name}"
        raise InputError(msg)
    texts = given.astype(object)
    for text in texts.flat:
        if not isinstance(text, (str, bytes)):
            msg = f"{model}: input {spec.name!r} takes text (str or bytes), got a {type(text).__name__}"
            raise InputError(msg)
    return texts


def columns_of(value: Any) -> list[str] | None:
    """Return the column names of a pandas ``DataFrame``, None for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame):
        return None
    return [str(column) for column in value.columns]


def joined(model: str, value: Any, inputs: Sequence[TensorSpec]) -> Any:
    """Return a ``tf.data.Dataset`` as one batch; anything else as it is.

    Parameters
    ----------
    model
        The model's name, for messages.
    value
        A dataset of arrays or of mappings by input name, batched or not.
    inputs
        The model's inputs: elements of one rank less than theirs are stacked.

    Raises
    ------
    InputError
        For a dataset that never ends, is empty, or has tuples for elements.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(value, tensorflow.data.Dataset):
        return value
    if int(value.cardinality()) == tensorflow.data.INFINITE_CARDINALITY:
        msg = f"{model}: this tf.data.Dataset never ends: give dataset.take(n)"
        raise InputError(msg)
    if isinstance(value.element_spec, tuple):
        msg = (
            f"{model}: this tf.data.Dataset has tuples of {len(value.element_spec)} for elements, and order "
            "is not to be trusted: give dataset.map(lambda x, y: x), or dicts by input name"
        )
        raise InputError(msg)
    elements = list(value.as_numpy_iterator())
    if not elements:
        msg = f"{model}: this tf.data.Dataset is empty"
        raise InputError(msg)
    ranks = {spec.name: len(spec.shape) for spec in inputs if spec.shape is not None}
    if isinstance(elements[0], Mapping):
        return {name: _join([element[name] for element in elements], ranks.get(name)) for name in elements[0]}
    return _join(elements, next(iter(ranks.values()), None))


def _join(parts: list[Any], rank: int | None) -> np.ndarray:
    arrays = [np.asarray(part) for part in parts]
    unbatched = arrays[0].ndim == 0 or (rank is not None and arrays[0].ndim == rank - 1)
    return np.stack(arrays) if unbatched else np.concatenate(arrays)
