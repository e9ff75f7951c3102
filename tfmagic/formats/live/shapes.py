"""What a live object takes, where its own signature does not tell: from the calls that it has had."""

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
    from collections.abc import Iterator, Mapping

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.signature.signature import Shape, Signature, TensorSpec


Kind = tuple[str, "Shape"]


def with_known_shapes(backend: EagerBackend, signature: Signature) -> Signature:
    """Return a signature with the dtype and shape of each input for which they can be found out."""
    if all(spec.dtype is not None for spec in signature.inputs):
        return signature
    known: dict[str, Kind] = {}
    for found in (
        backend.seen.get(signature.name, {}),
        _traced(backend, signature),
        _called(backend.live),
        _built(backend.live),
    ):
        known = {**found, **known}
    return replace(signature, inputs=tuple(_told(spec, known) for spec in signature.inputs))


def _told(spec: TensorSpec, known: Mapping[str, Kind]) -> TensorSpec:
    found = known.get(spec.tensor or spec.name) or known.get(spec.name)
    if spec.dtype is not None or found is None:
        return spec
    dtype, shape = found
    # One call tells nothing of how many rows there may be.
    return replace(spec, dtype=dtype, shape=(None, *shape[1:]) if shape else shape)


def _traced(backend: EagerBackend, signature: Signature) -> dict[str, Kind]:
    """Return what the arguments of a ``tf.function`` were when it was traced."""
    live = backend.live
    function = live if is_function(live) else callables_of(live).get(signature.name)
    found: dict[str, Kind] = {}
    for concrete in traces_of(function):
        for name, parameter in concrete.function_type.parameters.items():
            kind = parameter.type_constraint
            if isinstance(kind, tf.TensorSpec):
                found[name] = _merged(found.get(name), kind)
    return found


def _merged(before: Kind | None, spec: tf.TensorSpec) -> Kind:
    shape: Shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    if before is None or before[1] is None or shape is None or len(shape) != len(before[1]):
        return spec.dtype.name, shape
    merged = tuple(one if one == other else None for one, other in zip(before[1], shape, strict=True))
    return spec.dtype.name, merged


def _called(live: Any) -> dict[str, Kind]:
    """Return what a ``tf_keras`` model was made for, or called with first."""
    spec = live.save_spec() if hasattr(live, "save_spec") and hasattr(live, "call") else None
    if spec is None:
        return {}
    positional, named = spec
    given = {**dict(zip(inspect.signature(live.call).parameters, positional, strict=False)), **named}
    return {name: _merged(None, one) for name, one in given.items() if isinstance(one, tf.TensorSpec)}


def _built(live: Any) -> dict[str, Kind]:
    """Return the shapes that a Keras model was built with."""
    if not getattr(live, "built", False) or not hasattr(live, "get_build_config"):
        return {}
    config = live.get_build_config() or {}
    shapes = config.get("shapes_dict") or {"input_shape": config.get("input_shape")}
    dtype = getattr(live, "input_dtype", None) or "float32"
    found: dict[str, Kind] = {name.removesuffix("_shape"): (str(dtype), tuple(shape)) for name, shape in _plain(shapes)}
    if set(found) == {"input"}:
        # Built by its one argument, which can have any name.
        found.update(dict.fromkeys(inspect.signature(live.call).parameters, found["input"]))
    return found


def _plain(shapes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, shape in shapes.items():
        if isinstance(shape, (list, tuple)) and all(size is None or isinstance(size, int) for size in shape):
            yield name, shape


def unknown_input(signature: Signature) -> str | None:
    """Return the first input of which dtype and shape could not be found out, None where all are known."""
    return next((spec.name for spec in signature.required if spec.dtype is None), None)


def require_known(label: str, signature: Signature) -> None:
    """Refuse a signature with an input of which dtype and shape could not be found out."""
    unknown = unknown_input(signature)
    if unknown is not None:
        msg = (
            f"{label} cannot be saved yet, for the dtype and shape of its input {unknown!r} are not known: "
            f"run it once (%tf_run {label} …), or give its function an input_signature"
        )
        raise SaveError(msg)
