"""``tf.function`` and ``ConcreteFunction``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.signature.signature import DEFAULT, Signature, TensorSpec
from tfmagic.formats.live.base import SharedSource, spec_of, with_names
from tfmagic.graphdef.call_depth import check_calls_of
from tfmagic.runtime.tensorflow.private import library_of, traces_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.options import Options


class FunctionSource(SharedSource):
    """A live ``tf.function`` or ``ConcreteFunction``."""

    kind = "tf.function"

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a function of TensorFlow's."""
        return is_function(live)

    def connect(self, room: Room, options: Options) -> EagerBackend:
        """Read the signature off the function; nothing is traced."""
        live = self.live
        check_function(room.label, live)
        signature, call = with_names(room.label, *signature_and_call(DEFAULT, live), options)
        return EagerBackend(room, live, {DEFAULT: signature}, {DEFAULT: call}, lambda: variables_behind(live))


def is_function(live: Any) -> bool:
    """Return whether this is a ``tf.function`` or a ``ConcreteFunction``."""
    kinds = tf.types.experimental
    return isinstance(live, (kinds.PolymorphicFunction, kinds.ConcreteFunction))


def check_function(model: str, function: Any) -> None:
    """Refuse a traced function whose recursive or deeply nested calls would end the process in TensorFlow."""
    traced = [function] if hasattr(function, "graph") else traces_of(function)
    for trace in traced:
        check_calls_of(model, "this function", trace.graph, library_of(trace.graph))


def variables_behind(live: Any) -> list[Any]:
    """Return the variables that a function has captured so far."""
    if hasattr(live, "variables"):
        return list(live.variables)
    own = getattr(live, "_variables", ()) or ()
    captured = [variable for trace in traces_of(live) for variable in trace.variables]
    return list({id(variable): variable for variable in (*own, *captured)}.values())


def signature_and_call(
    name: str, function: Any, described_by: Any = None
) -> tuple[Signature, Callable[[dict[str, Any]], Any]]:
    """Return a function's signature, and how to call it by name; `described_by` tells arguments that it does not."""
    described = function if described_by is None else described_by
    type_of = getattr(described, "function_type", None)
    parameters = dict((type_of or inspect.signature(described)).parameters)
    inputs: list[TensorSpec] = []
    bound: dict[str, Any] = {}
    types: dict[str, Any] = {}
    for parameter in parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD} or parameter.name == "self":
            continue
        own: str = parameter.name
        spec: Any = getattr(parameter, "type_constraint", None)
        optional = parameter.default is not parameter.empty or bool(getattr(parameter, "optional", False))
        if type(spec).__name__ == "Literal":
            bound[own] = spec.value  # a Python value, for which the function was traced
        elif isinstance(spec, tf.TensorSpec):
            described_spec = spec_of(own, spec)
            inputs.append(TensorSpec(own, described_spec.dtype, described_spec.shape, own, optional=optional))
        elif len(parameters) == 1 and _by_key(spec):
            inputs.extend(spec_of(key, tensor) for key, tensor in spec.mapping.items())
        elif spec is None or not optional:
            inputs.append(TensorSpec(own, tensor=own, optional=optional))
        types[own] = spec

    def call(given: dict[str, Any]) -> Any:
        if len(types) == 1 and _by_key(*types.values()):
            return function(given)
        values = {**bound, **{own: _as_type(types[own], value) for own, value in given.items()}}
        return call_by_name(function, parameters, values)

    return Signature(name, tuple(inputs), _outputs(function)), call


def call_by_name(function: Any, parameters: Mapping[str, Any], given: Mapping[str, Any], **more: Any) -> Any:
    """Call a function with arguments by name; those before the first that keeps its default go by position."""
    # As Keras needs.
    positional = []
    for name, parameter in parameters.items():
        if name not in given or parameter.kind == parameter.KEYWORD_ONLY:
            break
        positional.append(name)
    rest = {name: value for name, value in given.items() if name not in positional}
    return function(*[given[name] for name in positional], **rest, **more)


def _by_key(spec: Any) -> bool:
    """Return whether this is the type of a dictionary of tensors."""
    mapping: Any = getattr(spec, "mapping", None)
    return bool(mapping) and all(
        isinstance(key, str) and isinstance(tensor, tf.TensorSpec) for key, tensor in mapping.items()
    )


def _as_type(kind: Any, value: Any) -> Any:
    """Return a value in the structure, and with the kind of tensors, of an argument's type."""
    if hasattr(kind, "mapping") and isinstance(value, Mapping):
        return {key: _as_type(kind.mapping.get(key), part) for key, part in value.items()}
    kinds: Any = getattr(getattr(kind, "components_tuple", kind), "components", None)
    if type(kind).__name__ in {"List", "Tuple"} and kinds is not None and len(kinds) == len(value):
        parts = [_as_type(*pair) for pair in zip(kinds, value, strict=True)]
        return parts if type(kind).__name__ == "List" else tuple(parts)
    if not isinstance(kind, (tf.TensorSpec, tf.RaggedTensorSpec, tf.SparseTensorSpec)):
        return value
    if isinstance(value, tf.Tensor) and isinstance(kind, tf.RaggedTensorSpec):
        value = tf.RaggedTensor.from_tensor(value)
    elif isinstance(value, tf.Tensor) and isinstance(kind, tf.SparseTensorSpec):
        value = tf.sparse.from_dense(value)
    numbers = hasattr(value, "dtype") and (value.dtype.is_floating or value.dtype.is_integer)
    return tf.cast(value, kind.dtype) if numbers and kind.dtype.is_floating else value


def _outputs(function: Any) -> tuple[TensorSpec, ...]:
    structure = getattr(function, "structured_outputs", None)
    if isinstance(structure, dict):
        return tuple(spec_of(str(key), value) for key, value in structure.items() if hasattr(value, "dtype"))
    if hasattr(structure, "dtype") and hasattr(structure, "shape"):
        return (spec_of("output", structure),)
    return ()
