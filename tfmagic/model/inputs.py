"""From what a person passes to the arrays that a signature takes, checked on the way.

A native call tells little about a wrong input, and some it does not notice at
all. So each input is checked first, against name, dtype, rank and size, and the
message names the model, the input, what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfmagic.errors import InputError, did_you_mean
from tfmagic.model.foreign import array_of, columns_of, joined
from tfmagic.model.signature import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from tfmagic.model.signature import Signature, TensorSpec

MISSING: Any = object()
"""Stands for no positional input (None could be one)."""


def bind(model: str, signature: Signature, positional: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, by input name.

    Parameters
    ----------
    model
        The model's name, for messages.
    signature
        Whose inputs are to be bound.
    positional
        One value, a mapping by input name, a pandas ``DataFrame``, a
        ``tf.data.Dataset`` of any of these, or `MISSING`.
    named
        Values by input name.

    Raises
    ------
    InputError
        For an unknown input, one given twice, or a single value where the
        signature has several inputs.
    """
    bound: dict[str, Any] = {}
    if positional is not MISSING:
        bound.update(_spread(model, signature, positional, named))
    for name, value in named.items():
        if name in bound:
            msg = f"{model}: input {name!r} is given twice"
            raise InputError(msg)
        spec = signature.input(name)
        bound[name] = value if spec is None else joined(model, value, [spec])
    known = [spec.name for spec in signature.inputs]
    for name in bound:
        if name not in known:
            if not known:
                msg = f"{model} takes no input, and {name!r} was given"
            else:
                msg = f"{model} has no input {name!r}{did_you_mean(str(name), known)}"
            raise InputError(msg)
    return bound


def _spread(
    model: str,
    signature: Signature,
    value: Any,
    named: Mapping[str, Any],
) -> Mapping[str, Any]:
    value = joined(model, value, signature.inputs)
    if isinstance(value, Mapping):
        return value
    names = [spec.name for spec in signature.inputs]
    columns = columns_of(value)
    if columns is not None and names and set(names) <= set(columns):
        return {spec.name: _column(value[spec.name], spec) for spec in signature.inputs}
    required = [name for name in [spec.name for spec in signature.required] or names if name not in named]
    if len(required) == 1:
        return {required[0]: value}
    if not names:
        msg = f"{model} takes no input, and one was given"
        raise InputError(msg)
    if columns is not None:
        lacking = ", ".join(repr(name) for name in names if name not in columns)
        msg = f"{model} takes {len(names)} inputs by name, and the table has no column {lacking}"
        raise InputError(msg)
    typed = " ".join(f"{name}=…" for name in names)
    msg = f"{model} takes {len(names)} inputs, so each needs its name: {typed}"
    raise InputError(msg)


def _column(series: Any, spec: TensorSpec) -> Any:
    # Models of tabular data often take each column as (rows, 1).
    one_wide = spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] in {None, 1}
    return series.to_numpy().reshape(-1, 1) if one_wide else series.to_numpy()


def missing(model: str, names: Iterable[str], signature: Signature) -> InputError:
    """Return the error for inputs that were not given."""
    lacking = [spec for spec in signature.inputs if spec.name in set(names)]
    listed = ", ".join(f"{spec.name!r} ({spec.kind})" if spec.kind else repr(spec.name) for spec in lacking)
    noun = "input" if len(lacking) == 1 else "inputs"
    msg = f"{model} needs {noun} {listed}: give {' '.join(f'{spec.name}=…' for spec in lacking)}"
    return InputError(msg)


def checked(model: str, spec: TensorSpec, value: Any) -> np.ndarray:
    """Return `value` as the array that `spec` asks for.

    Values that a dtype of the same kind or a wider one holds are converted
    (float64 to float32, integers to float); a fraction is never cut to an
    integer, and a number never becomes text.

    Raises
    ------
    InputError
        When dtype, rank or size do not fit.
    """
    array = array_of(model, spec, value)
    if spec.shape is not None:
        _check_shape(model, spec, array)
    return array


def _check_shape(model: str, spec: TensorSpec, array: np.ndarray) -> None:
    shape = spec.shape or ()
    fits = len(shape) == array.ndim and all(
        size is None or size == given for size, given in zip(shape, array.shape, strict=True)
    )
    if fits:
        return
    msg = f"{model}: input {spec.name!r} takes {spec.dtype} {shape_text(spec.shape)}, got {shape_text(array.shape)}"
    one_of_a_batch = (
        array.ndim + 1 == len(shape)
        and shape[0] in (None, 1)
        and all(size in (None, given) for size, given in zip(shape[1:], array.shape, strict=True))
    )
    if one_of_a_batch:
        msg += ": a batch of one is np.expand_dims(…, 0)"
    raise InputError(msg)
