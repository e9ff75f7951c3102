"""Live Keras models: train in the next cell, and ``%tf_run`` uses the new weights."""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.core.naming import unique
from tfmagic.errors import SourceError
from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.signature.signature import DEFAULT, Signature, TensorSpec
from tfmagic.formats.keras.write import keras_writer_of_copy
from tfmagic.formats.live.base import SharedSource, spec_of, with_names
from tfmagic.formats.live.function import call_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.options import Options


class KerasSource(SharedSource):
    """A live ``keras.Model`` or ``keras.Layer``."""

    kind = "Keras model"

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a Keras object."""
        keras = sys.modules.get("keras")
        return keras is not None and isinstance(live, keras.Layer)

    def connect(self, room: Room, options: Options) -> EagerBackend:
        """Read the signature off the model; nothing is copied."""
        model = room.label
        check_backend(model)
        live = self.live
        own = _signature(live)
        signature, call = with_names(model, own, _call_of(live, [spec.name for spec in own.inputs]), options)
        outputs = [spec.tensor or spec.name for spec in signature.outputs]

        def call_and_name(given: dict[str, Any]) -> Any:
            result = call(given)
            values = [value for _, value in leaves(result)]
            # Keras may give two outputs the same name, so they are told apart by their order.
            return dict(zip(outputs, values, strict=True)) if outputs and len(outputs) == len(values) else result

        backend = EagerBackend(room, live, {DEFAULT: signature}, {DEFAULT: call_and_name}, lambda: live.weights)
        if isinstance(live, sys.modules["keras"].Model):
            backend.keras_writer_of_copy = partial(keras_writer_of_copy, live)
        return backend

    def notes(self) -> list[str]:
        """Note that shapes are not known."""
        return [] if inputs_of(self.live) else ["its inputs have no fixed shape, so shapes are not checked"]

    def fingerprint(self) -> object:
        """Return the object's identity, its inputs and outputs, and the number of its layers: layers may be added."""
        signature = _signature(self.live)
        specs = tuple(str(spec) for spec in (*signature.inputs, *signature.outputs))
        return id(self.live), specs, len(getattr(self.live, "layers", ()))


def check_backend(model: str) -> None:
    """Refuse a Keras that does not run on TensorFlow."""
    try:
        import keras

        backend = str(keras.backend.backend())
    except ImportError:
        # Another backend is asked for, and is not installed.
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend == "tensorflow":
            raise
    if backend != "tensorflow":
        msg = (
            f"{model}: Keras runs on {backend} here, and tfmagic needs it on TensorFlow: "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
        raise SourceError(msg)


def inputs_of(live: Any) -> list[Any]:
    """Return the symbolic inputs of a model; none for a subclassed model or one that was never built."""
    return _symbolic(live, "inputs")


def _symbolic(live: Any, side: str) -> list[Any]:
    try:
        return list(getattr(live, side) or ())
    except (AttributeError, ValueError):
        return []


def struct_of(live: Any, side: str) -> Any:
    """Return the structure of a model's symbolic ``inputs`` or ``outputs``: a single tensor stands alone."""
    struct: Any = getattr(live, f"_{side}_struct", None)
    tensors = getattr(live, side) if struct is None else []
    return struct if struct is not None else tensors[0] if len(tensors) == 1 else tensors


def _named(live: Any, side: str, names: list[str], tensors: list[Any]) -> list[tuple[str, Any]]:
    """Return the tensors of a side with their names; those in a mapping are named by their keys."""
    struct: Any = getattr(live, f"_{side}_struct", None)
    if isinstance(struct, dict):
        names, tensors = [joined(path) for path, _ in leaves(struct)], [tensor for _, tensor in leaves(struct)]
    return list(zip(unique(names), tensors, strict=True))


def _call_of(live: Any, names: list[str]) -> Callable[[dict[str, Any]], Any]:
    """Return a function that calls the model with inputs by their own names."""
    parameters = inspect.signature(live.call).parameters
    inference: dict[str, bool] = {}
    if "training" in parameters or isinstance(live, sys.modules["keras"].Model):
        inference["training"] = False
    if not inputs_of(live):
        if len(names) == 1 and names[0] not in parameters:
            return lambda given: live(given[names[0]], **inference)
        return lambda given: call_by_name(live, parameters, given, **inference)
    struct = struct_of(live, "inputs")

    def call(given: dict[str, Any]) -> Any:
        # Keras takes None for an optional input that was not given.
        return live(packed(struct, iter([given.get(name) for name in names])), **inference)

    return call


def _signature(live: Any) -> Signature:
    inputs = inputs_of(live)
    if not inputs:
        return Signature(DEFAULT, tuple(_arguments(live)), ())
    input_specs = [
        replace(spec_of(name, tensor), optional=_is_optional(tensor))
        for name, tensor in _named(live, "inputs", [tensor.name for tensor in inputs], inputs)
    ]
    output_specs = _outputs(live)
    if not any(getattr(layer, "stateful", False) for layer in live.layers):
        # Keras allows any number of rows, whatever the first call had.
        input_specs = [_of_any_rows(spec) for spec in input_specs]
        output_specs = [_of_any_rows(spec) for spec in output_specs]
    return Signature(DEFAULT, tuple(input_specs), tuple(output_specs))


def _of_any_rows(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=(None, *spec.shape[1:])) if spec.shape else spec


def _outputs(live: Any) -> list[TensorSpec]:
    outputs = _symbolic(live, "outputs")
    if not outputs:
        return []
    names = list(getattr(live, "output_names", ()))
    if not names and len(outputs) == 1 and getattr(live, "layers", None):
        names = [live.layers[-1].name]  # as a functional model would call it
    if len(names) != len(outputs):
        names = [f"output_{index}" for index in range(len(outputs))]
    return [spec_of(name, tensor) for name, tensor in _named(live, "outputs", names, outputs)]


def leaves(struct: Any, path: tuple[Any, ...] = (), *, by_key: bool = True) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the leaves of a structure, each with its path; mappings in the order of their keys, or in their own."""
    if isinstance(struct, dict):
        parts = [(key, struct[key]) for key in (sorted(struct, key=str) if by_key else struct)]
    elif isinstance(struct, (list, tuple)):
        parts = list(enumerate(struct))
    else:
        return [(path, struct)]
    return [leaf for key, part in parts for leaf in leaves(part, (*path, key), by_key=by_key)]


def packed(struct: Any, values: Iterator[Any]) -> Any:
    """Return values, in the order of `leaves`, in the structure that they came from."""
    if isinstance(struct, dict):
        parts = {key: packed(struct[key], values) for key in sorted(struct, key=str)}
        return {key: parts[key] for key in struct}
    if isinstance(struct, (list, tuple)):
        return [packed(part, values) for part in struct]
    return next(values)


def joined(path: tuple[Any, ...]) -> str:
    """Return the name of the leaf at a path through a structure: ``probs_output_0``."""
    return "_".join(f"output_{part}" if isinstance(part, int) else str(part) for part in path)


def _is_optional(tensor: Any) -> bool:
    history: Any = getattr(tensor, "_keras_history", None)
    return bool(history) and bool(getattr(history[0], "optional", False))


def _arguments(live: Any) -> Iterator[TensorSpec]:
    """Give the arguments of the model's ``call`` that are inputs."""
    has_inputs = False
    for parameter in inspect.signature(live.call).parameters.values():
        named = parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        if named and parameter.name not in {"self", "training", "mask"}:
            has_inputs = True
            optional = parameter.default is not parameter.empty
            yield TensorSpec(parameter.name, tensor=parameter.name, optional=optional)
    if not has_inputs:
        yield TensorSpec("inputs", tensor="inputs")
