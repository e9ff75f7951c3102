"""The structure in which a Keras model takes its inputs and gives its outputs."""

from __future__ import annotations

import inspect
import itertools
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmagic.formats.keras.live_model import inputs_of, joined, leaves, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    given = [None if spec.optional else index for index, spec in enumerate(signature.inputs)]
    numbers = iter(_renumbered(given))
    parameters = inspect.signature(live.call).parameters
    training = "training" in parameters or isinstance(live, keras.Model)
    names: tuple[str, ...] = ()
    inputs: Any = None
    if inputs_of(live):
        struct = getattr(live, "_inputs_struct", None)
        if struct is None:
            struct = inputs_of(live)[0] if len(inputs_of(live)) == 1 else inputs_of(live)
        inputs = packed(struct, numbers)
        outputs_struct = getattr(live, "_outputs_struct", None)
        if outputs_struct is None:
            outputs_struct = live.outputs[0] if len(live.outputs) == 1 else live.outputs
        paths = [path for path, _ in leaves(outputs_struct)]
    else:
        names = tuple(spec.tensor or spec.name for spec in signature.required)
        paths = [path for path, _ in leaves(_outputs_of(live, signature, names), by_key=False)]
    steps = tuple("".join(f"[{json.dumps(key)}]" for key in path) for path in paths)
    return Structure(inputs, names, steps, tuple(joined(path) or "output" for path in paths), training)


def _renumbered(given: Sequence[int | None]) -> list[int | None]:
    count = itertools.count()
    return [None if number is None else next(count) for number in given]


def _outputs_of(live: Any, signature: Signature, names: Sequence[str]) -> Any:
    """Return what a subclassed model returns, as tensors without values."""
    keras = sys.modules["keras"]
    first, *rest = [keras.KerasTensor(spec.shape, spec.dtype) for spec in signature.required]
    more = dict(zip(names[1:], rest, strict=True))
    return live.compute_output_spec(first, **more)


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
