"""Code that loads a Keras file, and calls the model with its structure of inputs."""

from __future__ import annotations

import inspect
import json
import sys
from typing import TYPE_CHECKING, Any

from tfmagic.execution.signature.signature import TensorSpec
from tfmagic.formats.common.plain_code import CodeTensor, call_code, on_device, quoted, values
from tfmagic.formats.keras.live_model import inputs_of, joined, leaves, packed, struct_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature


def keras_code(
    name: str,
    file: Path,
    signature: Signature,
    live: Any,
    own: Signature,
    *,
    objects: Sequence[str],
    unsafe: bool,
    device: str | None,
) -> str:
    """Return code that loads a Keras file and calls `live`, its model; `objects` names what Keras does not have."""
    inputs = [CodeTensor(spec, spec.name) for spec in signature.inputs]
    given = values(name, inputs)
    tensors = [f"tf.constant({given[spec.name]}, tf.{spec.dtype})" for spec in signature.inputs]
    arguments, paths = _arguments_and_outputs(live, own, tensors)
    if "training" in inspect.signature(live.call).parameters or isinstance(live, sys.modules["keras"].Model):
        arguments.append("training=False")
    specs = signature.outputs or [TensorSpec(joined(path) or "output") for path in paths]
    steps = ["".join(f"[{json.dumps(key)}]" for key in path) for path in paths]
    outputs = [CodeTensor(spec, step) for spec, step in zip(specs, steps, strict=True)]
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
        f"_{name}_model({', '.join(arguments)})",
        device=device,
        imports=["import keras"],
    )


def _arguments_and_outputs(
    live: Any, own: Signature, tensors: Sequence[str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return a call's arguments as code, for the code of each input, and the path to each output."""
    if inputs_of(live):
        waiting = iter(tensors)
        given = ["None" if spec.optional else next(waiting) for spec in own.inputs]
        struct = packed(struct_of(live, "inputs"), iter(given))
        return [_expression(struct)], [path for path, _ in leaves(struct_of(live, "outputs"))]
    names = [spec.tensor or spec.name for spec in own.required]
    # What a subclassed model returns, as tensors without values.
    first, *rest = [sys.modules["keras"].KerasTensor(spec.shape, spec.dtype) for spec in own.required]
    result = live.compute_output_spec(first, **dict(zip(names[1:], rest, strict=True)))
    by_name = [f"{name}={value}" for name, value in zip(names[1:], tensors[1:], strict=True)]
    return [tensors[0], *by_name], [path for path, _ in leaves(result, by_key=False)]


def _expression(structure: Any) -> str:
    """Return a structure of expressions as an expression."""
    if isinstance(structure, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_expression(value)}' for key, value in structure.items())}}}"
    if isinstance(structure, (list, tuple)):
        return f"[{', '.join(_expression(value) for value in structure)}]"
    return str(structure)
