"""Code that loads a Keras file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.execution.signature.signature import TensorSpec
from tfmagic.formats.common.plain_code import CodeTensor, call_code, dtype_of, on_device, quoted, values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.keras.structure import Structure


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
    tensors = [f"tf.constant({given[spec.name]}, {dtype_of(spec)})" for spec in signature.inputs]
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
