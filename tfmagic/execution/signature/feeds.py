"""From a call's values to the arrays that a signature takes, and which outputs they suffice for.

A native call says little about a wrong input, and misses some. So each input is checked first, for name, dtype, rank
and size, and the message names the model, the input, what was expected and what came.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError, SourceError, did_you_mean
from tfmagic.execution.signature.conversion import array_of
from tfmagic.execution.signature.signature import SPARSE_PARTS, shape_text
from tfmagic.execution.signature.tables import columns_of, dataset_as_batch, input_names_among, is_column

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tfmagic.execution.signature.signature import Signature, TensorSpec

# How many outputs an error compares, to name the one that lacks the fewest inputs: each takes a walk through the graph.
_NEEDS_COMPARED = 10

MISSING: Any = object()
"""Stands for no positional input (None could be one)."""


def bind(model: str, signature: Signature, positional: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a call by input name.

    `positional` is one value, a mapping, a pandas ``DataFrame``, a ``tf.data.Dataset`` of these, or `MISSING`. Columns
    of a table that are no inputs, or that `named` gives, are left out.
    """
    bound: dict[str, Any] = {}
    wholes = {whole for spec in signature.inputs if (whole := signature.whole_of(spec.name)) is not None}
    if len(wholes) == 1 and _is_sparse(positional):
        positional, named = MISSING, {**named, wholes.pop(): positional}
    if positional is not MISSING:
        bound.update(_spread(model, signature, positional, named))
    for name, value in named.items():
        if name in bound:
            msg = f"{model}: input {name!r} is given twice"
            raise InputError(msg)
        spec = signature.input(name)
        batch = value if spec is None else dataset_as_batch(model, value, [spec])
        # Of a dataset of mappings, the value of that name.
        from_dataset = batch is not value and isinstance(batch, Mapping)
        bound[name] = batch.get(name, batch) if from_dataset else batch
    known = {spec.name: None for spec in signature.inputs}
    bound = {part: value for name in bound for part, value in _parts(name, bound[name], known).items()}
    for name in bound:
        if name not in known:
            if not known:
                msg = f"{model} takes no input, and {name!r} was given"
            else:
                msg = f"{model} has no input {name!r}{did_you_mean(str(name), known)}"
            raise InputError(msg)
    return bound


def _is_sparse(value: Any) -> bool:
    return value is not MISSING and all(getattr(value, part, None) is not None for part in SPARSE_PARTS.values())


def _parts(name: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """Return the values of a sparse tensor's parts by their names; any other value under its own."""
    parts = {f"{name}{ending}": part for ending, part in SPARSE_PARTS.items()}
    if name in known or not all(part in known for part in parts) or not _is_sparse(value):
        return {name: value}
    return {own: getattr(value, part) for own, part in parts.items()}


def check_names_given(model: str, value: Any) -> None:
    """Refuse a mapping whose keys are no names: a person means the value, or has mistyped a name."""
    wrong = [key for key in value if not isinstance(key, str)] if isinstance(value, Mapping) else []
    if wrong:
        kind = type(wrong[0]).__name__
        msg = f"{model}: a mapping gives inputs by name, and {wrong[0]!r} is no name (it is of type {kind})"
        raise InputError(msg)


def _spread(model: str, signature: Signature, value: Any, named: Mapping[str, Any]) -> Mapping[str, Any]:
    unnamed = [spec for spec in signature.inputs if spec.name not in named]
    value = dataset_as_batch(model, value, unnamed)
    names = [spec.name for spec in signature.inputs]
    if isinstance(value, Mapping):
        # A live object whose one argument is itself a mapping.
        whole = len(names) == 1 and signature.inputs[0].dtype is None and unnamed and names[0] not in value
        return {names[0]: value} if whole else value
    columns = columns_of(value)
    if columns is not None:
        columns_for_inputs = input_names_among(unnamed, columns)
        if columns_for_inputs:
            return {name: value.iloc[:, columns.index(name)] for name in names if name in columns_for_inputs}
    required = [name for name in [spec.name for spec in signature.required] or names if name not in named]
    if len(required) == 1:
        return {required[0]: value}
    # In an inferred signature: the one input that suffices for some output.
    alone = signature.needs.sufficient_alone() if signature.needs is not None and not named else set()
    if len(alone) == 1:
        return {alone.pop(): value}
    if not names:
        msg = f"{model} takes no input, and one was given"
        raise InputError(msg)
    if not unnamed:
        msg = f"{model}: a value without a name was given beside every input ({', '.join(names)}): leave it out"
        raise InputError(msg)
    if columns is not None:
        lacking = ", ".join(repr(name) for name in required if name not in columns)
        msg = f"{model} takes {len(names)} inputs by name, and the table has no column {lacking}"
        raise InputError(msg)
    msg = f"{model} takes {len(names)} inputs, so each needs its name: {_typed(names)}"
    raise InputError(msg)


def _typed(names: Sequence[str]) -> str:
    """Return how a person types inputs of these names."""
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in names):
        return " ".join(f"{name}=…" for name in names)
    return "{" + ", ".join(f'"{name}": …' for name in names) + "}"


def positional_inputs_error(model: str, count: int) -> InputError:
    """Return the error for several inputs without a name."""
    msg = f"{model} takes one input without a name, and {count} were given: give each by its name (x=… y=…)"
    return InputError(msg)


def missing_inputs_error(model: str, names: Iterable[str], signature: Signature) -> InputError:
    """Return the error for inputs that were not given."""
    needed = set(names)
    lacking = [spec for spec in signature.inputs if spec.name in needed]
    listed = ", ".join(f"{spec.name!r} ({spec.kind})" if spec.kind else repr(spec.name) for spec in lacking)
    noun = "input" if len(lacking) == 1 else "inputs"
    msg = f"{model} needs {noun} {listed}: give {_typed([spec.name for spec in lacking])}"
    return InputError(msg)


def checked_array(model: str, spec: TensorSpec, value: Any) -> Any:
    """Return `value` as the array that `spec` describes: no fraction is cut, and no number becomes text."""
    array = array_of(model, spec, value)
    if is_column(value) and spec.shape is not None and len(spec.shape) == 2 and spec.shape[1] in {None, 1}:
        array = array.reshape(-1, 1)  # models of tabular data often take each column as (rows, 1)
    if spec.shape is None or _fits(spec.shape, array.shape):
        return array
    msg = f"{model}: input {spec.name!r} takes {spec.dtype} {shape_text(spec.shape)}, got {shape_text(array.shape)}"
    if spec.shape and spec.shape[0] in {None, 1} and _fits(spec.shape[1:], array.shape):
        msg += ": a batch of one is np.expand_dims(…, 0)"
    raise InputError(msg)


def _fits(shape: Sequence[int | None], given: Sequence[int]) -> bool:
    return len(shape) == len(given) and all(size in {None, own} for size, own in zip(shape, given, strict=True))


def outputs_given(model: str, signature: Signature, given: Collection[str]) -> list[tuple[str, str]]:
    """Return the outputs for which the given inputs suffice, each with the backend's name for it."""
    outputs = signature.outputs
    missing = [spec.name for spec in signature.required if spec.name not in given]
    if missing and signature.needs is not None:
        lacking = signature.needs.outputs_that_need(missing)
        outputs = tuple(spec for spec in outputs if spec.name not in lacking)
        if not outputs:
            lacks = [signature.needs.of(spec.name) - set(given) for spec in signature.outputs[:_NEEDS_COMPARED]]
            fewest: frozenset[str] = min(lacks, key=len)
            raise missing_inputs_error(model, fewest, signature)
    elif missing:
        raise missing_inputs_error(model, missing, signature)
    return [(spec.name, spec.tensor or spec.name) for spec in outputs]


def require(model: str, signature: Signature, needed: Iterable[str], given: Collection[str]) -> None:
    """Refuse a call that lacks an input."""
    lacking = [name for name in needed if name not in given]
    if lacking:
        raise missing_inputs_error(model, lacking, signature)


def zeros_for(model: str, signature: Signature, advice: str, rows: int = 1) -> dict[str, Any]:
    """Return zeros for each required input: `rows` on a free first axis, size 1 on other free axes."""
    import tensorflow as tf

    zeros: dict[str, Any] = {}
    for spec in signature.required:
        if spec.dtype is None or spec.shape is None:
            msg = f"{model} cannot be run on zeros: the shape of its input {spec.name!r} is not known; {advice}"
            raise SourceError(msg)
        shape = tuple((1 if axis else rows) if size is None else size for axis, size in enumerate(spec.shape))
        dtype = tf.as_dtype(spec.dtype).as_numpy_dtype
        zeros[spec.name] = np.full(shape, "", object) if spec.dtype == "string" else np.zeros(shape, dtype)
    return zeros
