"""Code that loads a SavedModel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.formats.common.plain_code import CodeTensor, dtype_of, function, on_device, quoted, session_code, values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature


def saved_model_code(
    name: str,
    folder: Path,
    tags: Sequence[str],
    signature: Signature,
    *,
    own: tuple[Sequence[str], Sequence[str]],
    device: str | None,
) -> str:
    """Return code that loads a SavedModel and calls a signature.

    `own` has its names for the inputs and the outputs, in order.
    """
    if any(spec.optional for spec in signature.inputs):
        # A signature of TensorFlow 2 wants every input; a session does with the defaults of a graph.
        return _by_session(name, folder, tags, signature, device)
    inputs = [CodeTensor(spec, one) for spec, one in zip(signature.inputs, own[0], strict=True)]
    outputs = [CodeTensor(spec, one) for spec, one in zip(signature.outputs, own[1], strict=True)]
    given = values(name, inputs)
    arguments = {end.expression: f"tf.constant({given[end.spec.name]}, {dtype_of(end.spec)})" for end in inputs}
    if all(one.isidentifier() for one in arguments):
        passed = ", ".join(f"{one}={value}" for one, value in arguments.items())
    else:
        passed = f"**{{{', '.join(f'{quoted(one)}: {value}' for one, value in arguments.items())}}}"
    gathered = ", ".join(f"{quoted(end.spec.name)}: outputs[{quoted(end.expression)}].numpy()" for end in outputs)
    lines = [
        "import tensorflow as tf",
        "",
        *on_device(device, [f"_{name}_model = tf.saved_model.load({quoted(folder)}, tags={_listed(tags)})"]),
        f"_{name}_signature = _{name}_model.signatures[{quoted(signature.name)}]",
        "",
        "",
        function(
            name,
            inputs,
            outputs,
            [*on_device(device, [f"outputs = _{name}_signature({passed})"]), f"return {{{gathered}}}"],
        ),
        "",
    ]
    return "\n".join(lines)


def _by_session(name: str, folder: Path, tags: Sequence[str], signature: Signature, device: str | None) -> str:
    load = f"tf.compat.v1.saved_model.load(_{name}_session, {_listed(tags)}, {quoted(folder)}"
    clear = "" if device is None else ", clear_devices=True"
    inner = on_device(device, [f"{load}{clear})"])
    return session_code(name, signature, [f"with _{name}_graph.as_default():", *(f"    {line}" for line in inner)])


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(quoted(text) for text in texts)}]"
