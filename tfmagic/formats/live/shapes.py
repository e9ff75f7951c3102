"""Dtypes and shapes of a live object's inputs that its signature does not tell: from earlier calls."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.formats.live.function import is_function
from tfmagic.formats.live.module import callables_of
from tfmagic.runtime.tensorflow.private import traces_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.signature.signature import Shape, Signature, TensorSpec


DtypeAndShape = tuple[str, "Shape"]


def with_known_shapes(backend: EagerBackend, signature: Signature) -> Signature:
    """Return a signature with the dtype and shape of each input, as far as they can be found out."""
    if all(spec.dtype is not None for spec in signature.inputs):
        return signature
    known: dict[str, DtypeAndShape] = {}
    for more in (
        backend.last_inputs.get(signature.name, {}),
        _of_traces(backend, signature),
        _of_first_call(backend.live),
        _of_build_config(backend.live),
    ):
        known = {**more, **known}
    return replace(signature, inputs=tuple(_with_dtype_and_shape(spec, known) for spec in signature.inputs))


def _with_dtype_and_shape(spec: TensorSpec, known: Mapping[str, DtypeAndShape]) -> TensorSpec:
    dtype_and_shape = known.get(spec.tensor or spec.name) or known.get(spec.name)
    if spec.dtype is not None or dtype_and_shape is None:
        return spec
    dtype, shape = dtype_and_shape
    # One call does not tell how many rows there may be.
    return replace(spec, dtype=dtype, shape=(None, *shape[1:]) if shape else shape)


def _of_traces(backend: EagerBackend, signature: Signature) -> dict[str, DtypeAndShape]:
    """Return the arguments of the traces of a ``tf.function``."""
    live = backend.live
    function = live if is_function(live) else callables_of(live).get(signature.name)
    arguments: dict[str, DtypeAndShape] = {}
    for concrete in traces_of(function):
        for name, parameter in concrete.function_type.parameters.items():
            constraint = parameter.type_constraint
            if isinstance(constraint, tf.TensorSpec):
                arguments[name] = _merged(arguments.get(name), constraint)
    return arguments


def _merged(before: DtypeAndShape | None, spec: tf.TensorSpec) -> DtypeAndShape:
    shape: Shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    if before is None or before[1] is None or shape is None or len(shape) != len(before[1]):
        return spec.dtype.name, shape
    merged = tuple(size if size == other else None for size, other in zip(before[1], shape, strict=True))
    return spec.dtype.name, merged


def _of_first_call(live: Any) -> dict[str, DtypeAndShape]:
    """Return what a ``tf_keras`` model was made for, or first called with."""
    spec = live.save_spec() if hasattr(live, "save_spec") and hasattr(live, "call") else None
    if spec is None:
        return {}
    positional, named = spec
    given = {**dict(zip(inspect.signature(live.call).parameters, positional, strict=False)), **named}
    return {name: _merged(None, value) for name, value in given.items() if isinstance(value, tf.TensorSpec)}


def _of_build_config(live: Any) -> dict[str, DtypeAndShape]:
    """Return the shapes that a Keras model was built with."""
    if not getattr(live, "built", False) or not hasattr(live, "get_build_config"):
        return {}
    config = live.get_build_config() or {}
    shapes = config.get("shapes_dict") or {"input_shape": config.get("input_shape")}
    dtype = getattr(live, "input_dtype", None) or "float32"
    arguments: dict[str, DtypeAndShape] = {
        name.removesuffix("_shape"): (str(dtype), tuple(shape))
        for name, shape in shapes.items()
        if isinstance(shape, (list, tuple)) and all(size is None or isinstance(size, int) for size in shape)
    }
    if set(arguments) == {"input"}:
        # Built with one argument, which can have any name.
        arguments.update(dict.fromkeys(inspect.signature(live.call).parameters, arguments["input"]))
    return arguments


def unknown_input(signature: Signature) -> str | None:
    """Return the first required input without a known dtype, None where all are known."""
    return next((spec.name for spec in signature.required if spec.dtype is None), None)


def require_known(label: str, signature: Signature) -> None:
    """Refuse a signature with an input without a known dtype and shape."""
    unknown = unknown_input(signature)
    if unknown is not None:
        msg = (
            f"{label} cannot be saved yet, for the dtype and shape of its input {unknown!r} are not known: "
            f"run it once (%tf_run {label} …), or give its function an input_signature"
        )
        raise SaveError(msg)
