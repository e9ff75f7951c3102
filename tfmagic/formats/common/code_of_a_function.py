"""The function in which plain code ends: named inputs in, outputs by name out."""

from __future__ import annotations

import json
import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfmagic.execution.signature.signature import shape_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.execution.signature.signature import TensorSpec

# What the code uses itself, beside names that begin with the model's own.
_USED = {"tf", "keras", "outputs", "feeds", "inputs"}


@dataclass(frozen=True)
class CodeTensor:
    """An input or output, and where it is in what the code calls.

    Attributes
    ----------
    spec
        Its name as a model, dtype and shape.
    own
        The name, tensor or expression that it has there.
    """

    spec: TensorSpec
    own: str


def function(name: str, inputs: Sequence[CodeTensor], outputs: Sequence[CodeTensor], body: Iterable[str]) -> str:
    """Return a function's code."""
    takes = ", ".join(_described(end.spec) for end in inputs) or "nothing"
    gives = ", ".join(end.spec.name for end in outputs)
    lines = [
        f"def {name}({_parameters(name, inputs)}):",
        f'    """Take {takes}; return arrays by output name: {gives}."""'.replace("\\", "\\\\"),
        *(f"    {line}" for line in body),
    ]
    return "\n".join(lines)


def values(name: str, inputs: Sequence[CodeTensor]) -> dict[str, str]:
    """Return the expression for each input's value in the function's body, by the input's name."""
    if _can_be_parameters(name, inputs):
        return {end.spec.name: end.spec.name for end in inputs}
    keys = {end.spec.name: quoted(end.spec.name) for end in inputs}
    return {
        end.spec.name: f"inputs.get({keys[end.spec.name]})" if end.spec.optional else f"inputs[{keys[end.spec.name]}]"
        for end in inputs
    }


def _parameters(name: str, inputs: Sequence[CodeTensor]) -> str:
    if not _can_be_parameters(name, inputs):
        # By key: not every name of an input is a name in Python.
        return "inputs"
    required = [end.spec.name for end in inputs if not end.spec.optional]
    return ", ".join([*required, *(f"{end.spec.name}=None" for end in inputs if end.spec.optional)])


def _can_be_parameters(name: str, inputs: Sequence[CodeTensor]) -> bool:
    names = [end.spec.name for end in inputs]
    return all(
        one.isidentifier() and not keyword.iskeyword(one) and not one.startswith("_") and one not in {name, *_USED}
        for one in names
    )


def _described(spec: TensorSpec) -> str:
    dtype = "" if spec.dtype is None else f" {spec.dtype} {shape_text(spec.shape)}"
    return f"{spec.name}{dtype}{' (may be left out)' if spec.optional else ''}"


def quoted(text: object) -> str:
    """Return a text as code, in the quotes that most formatters leave alone."""
    return json.dumps(str(text), ensure_ascii=False)


def dtype_of(spec: TensorSpec) -> str:
    """Return a dtype as code: ``tf.float32``."""
    return f"tf.{spec.dtype}"


def on_device(device: str | None, lines: Iterable[str]) -> list[str]:
    """Return lines of code that run on a device, as they are if none was asked for."""
    if device is None:
        return list(lines)
    return [f"with tf.device({quoted(device)}):", *(f"    {line}" for line in lines)]
