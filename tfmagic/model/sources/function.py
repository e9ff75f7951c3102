"""``tf.function`` and ``ConcreteFunction``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.model.eager_mode import EagerMode
from tfmagic.model.room import Room
from tfmagic.model.signature import DEFAULT, Signature, TensorSpec, renamed
from tfmagic.model.sources.live import LiveSource, spec_of
from tfmagic.model.sources.source import Built

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.options import Options


class FunctionSource(LiveSource):
    """A live ``tf.function`` or ``ConcreteFunction``."""

    kind = "tf.function"

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a function of TensorFlow's."""
        return is_function(live)

    def build(self, model: str, options: Options) -> Built:
        """Read the signature off the function; nothing is traced."""
        live = self.live
        signature, call = signature_and_call(DEFAULT, live)
        signature = renamed(model, signature, options.inputs, options.outputs)
        room = Room(model, device=options.device)
        mode = EagerMode(room, live, {DEFAULT: signature}, {DEFAULT: call}, lambda: variables_behind(live))
        return Built(mode)


def is_function(live: Any) -> bool:
    """Return whether this is a ``tf.function`` or a ``ConcreteFunction``."""
    kinds = tf.types.experimental
    return isinstance(live, (kinds.PolymorphicFunction, kinds.ConcreteFunction))


def variables_behind(live: Any) -> list[Any]:
    """Return the variables that a function has captured so far."""
    if hasattr(live, "variables"):
        return list(live.variables)
    return list(getattr(live, "_variables", ()) or ())


def signature_and_call(
    name: str, function: Any, described_by: Any = None
) -> tuple[Signature, Callable[[dict[str, Any]], Any]]:
    """Return what a function takes and gives, and how to call it with inputs by name.

    Parameters
    ----------
    name
        The signature's name.
    function
        A ``tf.function``, a ``ConcreteFunction`` or any callable. Dtypes and
        shapes are known for a ``ConcreteFunction`` and for a ``tf.function`` with
        an ``input_signature``.
    described_by
        What has the same arguments, where the function itself does not say.
    """
    described = function if described_by is None else described_by
    type_of = getattr(described, "function_type", None)
    parameters = dict((type_of or inspect.signature(described)).parameters)
    inputs = []
    for parameter in parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD} or parameter.name == "self":
            continue
        spec = getattr(parameter, "type_constraint", None)
        optional = parameter.default is not parameter.empty or bool(getattr(parameter, "optional", False))
        if isinstance(spec, tf.TensorSpec):
            end = spec_of(parameter.name, spec)
            inputs.append(TensorSpec(end.name, end.dtype, end.shape, end.tensor, optional=optional))
        elif spec is None or not optional:
            inputs.append(TensorSpec(parameter.name, tensor=parameter.name, optional=optional))
    keyword_only = {p.name for p in parameters.values() if p.kind == p.KEYWORD_ONLY}

    def call(given: dict[str, Any]) -> Any:
        # By keyword where a parameter in between was left to its default.
        ordered = [spec.name for spec in inputs if spec.name not in keyword_only]
        positional = []
        for own in ordered:
            if own not in given:
                break
            positional.append(given[own])
        rest = {own: value for own, value in given.items() if own not in ordered[: len(positional)]}
        return function(*positional, **rest)

    return Signature(name, tuple(inputs), _outputs(function)), call


def _outputs(function: Any) -> tuple[TensorSpec, ...]:
    structure = getattr(function, "structured_outputs", None)
    if isinstance(structure, dict):
        return tuple(spec_of(str(key), value) for key, value in structure.items() if hasattr(value, "dtype"))
    if hasattr(structure, "dtype") and hasattr(structure, "shape"):
        return (spec_of("output", structure),)
    return ()
