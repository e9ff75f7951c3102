"""Code that loads a Keras file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.execution.signature.signature import TensorSpec
from tfmagic.formats.common.plain_code import CodeTensor, dtype_of, function, on_device, quoted, values

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
    """Return code that loads a Keras file and calls the model.

    `objects` names what it needs and Keras does not have.
    """
    inputs = [CodeTensor(spec, spec.name) for spec in signature.inputs]
    specs = signature.outputs or [TensorSpec(one) for one in structure.output_names]
    outputs = [CodeTensor(spec, way) for spec, way in zip(specs, structure.outputs, strict=True)]
    given = values(name, inputs)
    tensors = [f"tf.constant({given[end.spec.name]}, {dtype_of(end.spec)})" for end in inputs]
    call = ", ".join([*structure.arguments(tensors), *(["training=False"] if structure.training else [])])
    named = ", ".join(f"{quoted(one)}: {one}" for one in objects)
    options = [
        *([f"custom_objects={{{named}}}"] if objects else []),
        "compile=False",
        *(["safe_mode=False"] if unsafe else []),
    ]
    gathered = ", ".join(f"{quoted(end.spec.name)}: outputs{end.expression}.numpy()" for end in outputs)
    missing = f"# Keras does not have {', '.join(objects)}: define or import it above this line."
    lines = [
        "import keras",
        "import tensorflow as tf",
        "",
        *([missing] if objects else []),
        *on_device(device, [f"_{name}_model = keras.models.load_model({quoted(file)}, {', '.join(options)})"]),
        "",
        "",
        function(
            name,
            inputs,
            outputs,
            [*on_device(device, [f"outputs = _{name}_model({call})"]), f"return {{{gathered}}}"],
        ),
        "",
    ]
    return "\n".join(lines)
