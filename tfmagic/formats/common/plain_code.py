"""What plain code consists of: loading, and a function with inputs by name in and arrays by output name out."""

from __future__ import annotations

import json
import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.execution.signature.signature import Signature, TensorSpec

# Names that the code uses, beside those that begin with the model's name.
_USED = {"tf", "keras", "outputs", "feeds", "inputs"}


@dataclass(frozen=True)
class CodeTensor:
    """An input or output: its spec, and the name, tensor or expression for it in the code that is called."""

    spec: TensorSpec
    expression: str


def function(name: str, inputs: Sequence[CodeTensor], outputs: Sequence[CodeTensor], body: Iterable[str]) -> str:
    """Return the code of a function of this name; `body` uses `values` for the inputs."""
    described = [f"{tensor.spec}{' (may be left out)' if tensor.spec.optional else ''}" for tensor in inputs]
    takes = ", ".join(described) or "nothing"
    # By key, where not every input's name is a name in Python.
    parameters = "inputs"
    if _can_be_parameters(name, inputs):
        by_default = sorted((tensor.spec for tensor in inputs), key=lambda spec: spec.optional)
        parameters = ", ".join(f"{spec.name}=None" if spec.optional else spec.name for spec in by_default)
    gives = ", ".join(tensor.spec.name for tensor in outputs)
    lines = [
        f"def {name}({parameters}):",
        f'    """Take {takes}; return arrays by output name: {gives}."""'.replace("\\", "\\\\"),
        *(f"    {line}" for line in body),
    ]
    return "\n".join(lines)


def values(name: str, inputs: Sequence[CodeTensor]) -> dict[str, str]:
    """Return the expression for each input's value in the function's body, by the input's name."""
    if _can_be_parameters(name, inputs):
        return {tensor.spec.name: tensor.spec.name for tensor in inputs}
    return {
        spec.name: f"inputs.get({quoted(spec.name)})" if spec.optional else f"inputs[{quoted(spec.name)}]"
        for spec in (tensor.spec for tensor in inputs)
    }


def session_code(name: str, signature: Signature, load: Iterable[str], *, imports: Sequence[str] = ()) -> str:
    """Return code that runs a graph; the lines `load` load it into ``_NAME_graph`` and ``_NAME_session``."""
    inputs = [CodeTensor(spec, str(spec.tensor)) for spec in signature.inputs]
    outputs = [CodeTensor(spec, str(spec.tensor)) for spec in signature.outputs]
    given = values(name, inputs)
    required = [tensor for tensor in inputs if not tensor.spec.optional]
    fed = ", ".join(f"{quoted(tensor.expression)}: {given[tensor.spec.name]}" for tensor in required)
    fetched = ", ".join(f"{quoted(tensor.spec.name)}: {quoted(tensor.expression)}" for tensor in outputs)
    run = f"return _{name}_session.run({{{fetched}}}, "
    body = [f"{run}{{{fed}}})"]
    optional = [tensor for tensor in inputs if tensor.spec.optional]
    if optional:
        body = [f"feeds = {{{fed}}}"]
        for tensor in optional:
            value = given[tensor.spec.name]
            body += [f"if {value} is not None:", f"    feeds[{quoted(tensor.expression)}] = {value}"]
        body.append(f"{run}feeds)")
    session = [
        f"_{name}_graph = tf.Graph()",
        f"_{name}_session = tf.compat.v1.Session(",
        f"    graph=_{name}_graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True)",
        ")",
    ]
    return _module([*imports, "import tensorflow as tf"], [*session, *load], function(name, inputs, outputs, body))


def call_code(
    name: str,
    load: Iterable[str],
    inputs: Sequence[CodeTensor],
    outputs: Sequence[CodeTensor],
    call: str,
    *,
    device: str | None,
    imports: Sequence[str] = (),
) -> str:
    """Return code that loads an object and calls it; each output's expression is its place in the result."""
    gathered = ", ".join(f"{quoted(tensor.spec.name)}: outputs{tensor.expression}.numpy()" for tensor in outputs)
    body = [*on_device(device, [f"outputs = {call}"]), f"return {{{gathered}}}"]
    return _module([*imports, "import tensorflow as tf"], load, function(name, inputs, outputs, body))


def _module(imports: Sequence[str], load: Iterable[str], function_code: str) -> str:
    return "\n".join([*imports, "", *load, "", "", function_code, ""])


def _can_be_parameters(name: str, inputs: Sequence[CodeTensor]) -> bool:
    names = [tensor.spec.name for tensor in inputs]
    valid = all(each.isidentifier() and not keyword.iskeyword(each) and not each.startswith("_") for each in names)
    return valid and not {name, *_USED} & set(names)


def quoted(text: object) -> str:
    """Return a text as code, in the quotes that most formatters leave alone."""
    return json.dumps(str(text), ensure_ascii=False)


def on_device(device: str | None, lines: Iterable[str]) -> list[str]:
    """Return the lines of code inside a ``tf.device`` block, unchanged without a device."""
    if device is None:
        return list(lines)
    return [f"with tf.device({quoted(device)}):", *(f"    {line}" for line in lines)]
