"""Code that loads a Keras file, and calls the model with its structure of inputs."""

from __future__ import annotations

import inspect
import itertools
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmagic.execution.signature.signature import TensorSpec
from tfmagic.formats.common.plain_code import CodeTensor, call_code, on_device, quoted, values
from tfmagic.formats.keras.live_model import inputs_of, joined, leaves, packed, struct_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature


@dataclass(frozen=True)
class Structure:
    """How a Keras model is called, and what it returns.

    ``inputs`` is the structure of its one argument, with a number for each input, or None where ``names`` has its
    several arguments. ``outputs`` is the way to each output (``["probs"][0]``), ``output_names`` names those without a
    name, and ``training`` is whether the call has a ``training`` argument.
    """

    inputs: Any
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...]
    training: bool

    def arguments(self, values: Sequence[str]) -> list[str]:
        """Return the call's arguments as code, for the code of each input's value."""
        if not self.names:
            return [_expression(_filled(self.inputs, values))]
        first, *rest = values
        return [first, *(f"{name}={value}" for name, value in zip(self.names[1:], rest, strict=True))]


def structure_of(live: Any, signature: Signature) -> Structure:
    """Return the structure of a Keras model for a signature of its own; the model may have no values."""
    keras = sys.modules["keras"]
    count = itertools.count()
    numbers = iter([None if spec.optional else next(count) for spec in signature.inputs])
    parameters = inspect.signature(live.call).parameters
    training = "training" in parameters or isinstance(live, keras.Model)
    names: tuple[str, ...] = ()
    inputs: Any = None
    if inputs_of(live):
        inputs = packed(struct_of(live, "inputs"), numbers)
        paths = [path for path, _ in leaves(struct_of(live, "outputs"))]
    else:
        names = tuple(spec.tensor or spec.name for spec in signature.required)
        # What a subclassed model returns, as tensors without values.
        first, *rest = [keras.KerasTensor(spec.shape, spec.dtype) for spec in signature.required]
        struct = live.compute_output_spec(first, **dict(zip(names[1:], rest, strict=True)))
        paths = [path for path, _ in leaves(struct, by_key=False)]
    steps = tuple("".join(f"[{json.dumps(key)}]" for key in path) for path in paths)
    return Structure(inputs, names, steps, tuple(joined(path) or "output" for path in paths), training)


def _filled(structure: Any, values: Sequence[str]) -> Any:
    if isinstance(structure, dict):
        return {key: _filled(part, values) for key, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        return [_filled(part, values) for part in structure]
    return "None" if structure is None else values[structure]


def _expression(structure: Any) -> str:
    """Return a structure of expressions as an expression."""
    if isinstance(structure, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_expression(value)}' for key, value in structure.items())}}}"
    if isinstance(structure, (list, tuple)):
        return f"[{', '.join(_expression(value) for value in structure)}]"
    return str(structure)


def keras_code(
    name: str,
    file: Path,
    signature: Signature,
    structure: Structure,
    *,
    objects: Sequence[str],
    unsafe: bool,
    device: str | None,
) -> str:
    """Return code that loads a Keras file and calls the model; `objects` names what Keras does not have."""
    inputs = [CodeTensor(spec, spec.name) for spec in signature.inputs]
    specs = signature.outputs or [TensorSpec(output) for output in structure.output_names]
    outputs = [CodeTensor(spec, path) for spec, path in zip(specs, structure.outputs, strict=True)]
    given = values(name, inputs)
    tensors = [f"tf.constant({given[spec.name]}, tf.{spec.dtype})" for spec in signature.inputs]
    call = ", ".join([*structure.arguments(tensors), *(["training=False"] if structure.training else [])])
    named = ", ".join(f"{quoted(needed)}: {needed}" for needed in objects)
    options = [
        *([f"custom_objects={{{named}}}"] if objects else []),
        "compile=False",
        *(["safe_mode=False"] if unsafe else []),
    ]
    missing = f"# Keras does not have {', '.join(objects)}: define or import it above this line."
    load = on_device(device, [f"_{name}_model = keras.models.load_model({quoted(file)}, {', '.join(options)})"])
    return call_code(
        name,
        [*([missing] if objects else []), *load],
        inputs,
        outputs,
        f"_{name}_model({call})",
        device=device,
        imports=["import keras"],
    )
