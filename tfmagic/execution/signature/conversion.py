"""Converts the value of an input to an array: tensors, lists, tables, text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError
from tfmagic.execution.signature.tables import is_pandas, numbers_of

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import TensorSpec

# Integers that NumPy knows only as raw bytes, with the least and the largest.
_SMALL_INTEGERS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def array_of(model: str, spec: TensorSpec, value: Any) -> Any:
    """Return `value` as an array of the spec's dtype, without a loss; without a dtype, structures are kept."""
    if type(value) is np.ndarray and value.dtype.name == spec.dtype and value.dtype.isnative:
        return value
    if spec.dtype is None and _is_structure(value):
        return _structure(model, spec, value)
    given = _plain(model, spec, value)
    if spec.dtype is None:
        return _as_tensorflow_would(value, given)
    if spec.dtype == "string":
        return given
    wanted = _numpy_dtype(model, spec)
    if given.size == 0 and not isinstance(value, np.ndarray):
        return given.astype(wanted)  # [] has no dtype
    return given if given.dtype == wanted else _converted(model, spec, given, wanted)


def _converted(model: str, spec: TensorSpec, given: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    if not _holds(given, wanted):
        raise _wrong_dtype(model, spec, given)
    with np.errstate(over="ignore"):
        converted = given.astype(wanted)
    if wanted.kind in "fcV" and wanted.name not in _SMALL_INTEGERS and given.dtype != bool:
        lost = np.isfinite(given) & ~np.isfinite(converted)
        if lost.any():
            msg = (
                f"{model}: input {spec.name!r} takes {spec.dtype}, got {given.dtype.name}, "
                f"and {given[lost].flat[0]} does not fit"
            )
            raise InputError(msg)
    return converted


def _is_structure(value: Any) -> bool:
    """Return whether a live object gets this as it is, and not as one array."""
    if isinstance(value, (list, tuple)):
        # Keras and tf.function take a list of arrays as a list, not as one array.
        return any(len(getattr(part, "shape", None) or ()) or _is_structure(part) for part in value)
    return isinstance(value, Mapping) or _composite(value) is not None


def _structure(model: str, spec: TensorSpec, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: array_of(model, spec, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [array_of(model, spec, part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def _composite(value: Any) -> str | None:
    """Return the name of a sparse or ragged tensor, None for anything else."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return None
    if isinstance(value, tensorflow.SparseTensor):
        return "SparseTensor"
    return "RaggedTensor" if isinstance(value, tensorflow.RaggedTensor) else None


def _plain(model: str, spec: TensorSpec, value: Any) -> np.ndarray:
    value = _without_tensors(model, spec, value)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        msg = f"{model}: input {spec.name!r} got a masked array with values masked out: give array.filled(…)"
        raise InputError(msg)
    if is_pandas(value) and spec.dtype != "string":
        value = numbers_of(model, spec, value)
    try:
        # Text as objects: NumPy's text dtype cuts trailing NULs, and turns numbers into text.
        array = np.asarray(value, dtype=object if spec.dtype == "string" else None)
    except (ValueError, TypeError) as error:
        msg = f"{model}: input {spec.name!r} cannot become an array: {str(error).splitlines()[0]}"
        raise InputError(msg) from None
    if spec.dtype == "string":
        return _texts(model, spec, value, array)
    if spec.dtype is None and array.dtype.kind in "OSU":
        return _texts(model, spec, value, np.asarray(value, dtype=object))
    if array.dtype.kind == "O":
        msg = (
            f"{model}: input {spec.name!r} takes {spec.kind or 'an array'}, "
            f"got {type(value).__name__}, of which NumPy makes no array of numbers"
        )
        raise InputError(msg)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _without_tensors(model: str, spec: TensorSpec, value: Any) -> Any:
    """Return the value of a tensor or a variable; anything else as it is."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return value
    kind = _composite(value)
    if kind == "SparseTensor":
        msg = (
            f"{model}: input {spec.name!r} got a SparseTensor, which cannot be fed: "
            "give tf.sparse.to_dense(…), with the dtype and shape that the input takes"
        )
        raise InputError(msg)
    if kind == "RaggedTensor":
        dense = value.to_tensor()
        if int(tensorflow.size(value.flat_values)) != int(tensorflow.size(dense)):
            msg = (
                f"{model}: input {spec.name!r} got a RaggedTensor with rows of different lengths, which cannot be "
                "fed: give its to_tensor(), which fills them up"
            )
            raise InputError(msg)
        return dense.numpy()
    if tensorflow.is_tensor(value):
        if not hasattr(value, "numpy"):
            msg = (
                f"{model}: input {spec.name!r} got the symbolic tensor {getattr(value, 'name', value)!r}, "
                "which has no value yet: run it first, or feed it inside %%tf_run"
            )
            raise InputError(msg)
        return value.numpy()
    if isinstance(value, tensorflow.Variable):
        return value.numpy()
    if spec.dtype == "string" and isinstance(value, (list, tuple)):
        return [text.numpy() if tensorflow.is_tensor(text) and hasattr(text, "numpy") else text for text in value]
    return value


def _as_tensorflow_would(value: Any, given: np.ndarray) -> np.ndarray:
    """Return a bare number or list as an array of TensorFlow's dtype: float32, not NumPy's float64."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or given.dtype.kind == "O" or not isinstance(value, (int, float, list, tuple)):
        return given
    try:
        array: np.ndarray = tensorflow.constant(value).numpy()
    except (ValueError, TypeError):
        return given
    return np.asarray(array)


def _numpy_dtype(model: str, spec: TensorSpec) -> np.dtype[Any]:
    try:
        return np.dtype(spec.dtype)
    except TypeError:
        import tensorflow as tf

        dtype = tf.as_dtype(spec.dtype)
        if dtype.is_floating or dtype.name in _SMALL_INTEGERS:
            numpy_dtype: np.dtype[Any] = np.dtype(dtype.as_numpy_dtype)
            return numpy_dtype
        msg = (
            f"{model}: input {spec.name!r} takes {spec.dtype}, which no array has, so it cannot be fed: "
            "name another tensor with --inputs when the model is added"
        )
        raise InputError(msg) from None


def _holds(given: np.ndarray, wanted: np.dtype[Any]) -> bool:
    """Return whether `wanted` can hold the values of `given`."""
    if given.dtype.kind == "V":
        # ml_dtypes' floats and small integers: NumPy knows no kind for them.
        return given.dtype.names is None and (
            (given.dtype.name in _SMALL_INTEGERS and wanted.kind in "iufc")
            or ("float" in given.dtype.name and (wanted.kind in "fc" or "float" in wanted.name))
        )
    if given.dtype.kind in "OUS":
        return False
    limits = _SMALL_INTEGERS.get(wanted.name)
    if limits is None and wanted.kind == "V":
        return given.dtype.kind in "fiub"
    if limits is None and given.dtype.kind in "iu" and wanted.kind in "iu":
        # Python's int64 lists to uint8 and the like, when the values fit.
        limits = int(np.iinfo(wanted).min), int(np.iinfo(wanted).max)
    if limits is not None:
        fits = given.dtype.kind in "iu"
        return fits and (not given.size or (int(given.min()) >= limits[0] and int(given.max()) <= limits[1]))
    return bool(np.can_cast(given.dtype, wanted, "same_kind"))


def _wrong_dtype(model: str, spec: TensorSpec, given: np.ndarray) -> InputError:
    kind = "text" if given.dtype.kind in "US" else given.dtype.name
    msg = f"{model}: input {spec.name!r} takes {spec.dtype}, got {kind}"
    if given.dtype.kind == "f":
        msg += f": say how to round, for example np.round(…).astype({spec.dtype!r})"
    elif given.dtype.kind in "iu" and (spec.dtype or "").lstrip("u").startswith("int"):
        msg += f", and {given.min()} to {given.max()} does not fit"
    return InputError(msg)


def _texts(model: str, spec: TensorSpec, value: Any, texts: np.ndarray) -> np.ndarray:
    """Return the objects if all are text, else refuse them."""
    others = [item for item in texts.flat if not isinstance(item, (str, bytes))]
    if not others:
        return texts
    wrong = others[0]
    takes = f"{model}: input {spec.name!r} takes " + ("text (str or bytes)" if spec.dtype else "an array")
    if isinstance(wrong, (list, tuple, np.ndarray)):
        msg = f"{takes}, and the rows of this {type(value).__name__} are of different lengths"
        raise InputError(msg)
    if spec.dtype is None and len(others) == texts.size:
        msg = f"{takes}, got {type(value).__name__}, of which NumPy makes no array of numbers"
        raise InputError(msg)
    # For an array of numbers the NumPy dtype says more than the type of the first.
    plain = np.asarray(value)
    kind = f"a {type(wrong).__name__}" if plain.dtype.kind in "OSU" else plain.dtype.name
    msg = f"{takes}, got {kind}" + (" among text" if spec.dtype is None else "")
    raise InputError(msg)
