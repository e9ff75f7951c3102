"""Which inputs each output of a graph needs. Each question takes one walk through the graph, however many outputs."""

from __future__ import annotations

import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tfmagic.graphdef.op_types import PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_SEVERAL = ""


class NeededInputs:
    """Which inputs the outputs of an inferred signature need.

    `inputs` and `outputs` have the names of tensors by their names in the signature; inputs with a default are left
    out of `required`. The graph may be gone when its model is: then nothing is needed.
    """

    def __init__(
        self, graph: Any, inputs: Mapping[str, str], outputs: Mapping[str, str], required: Collection[str]
    ) -> None:
        self._graph = weakref.ref(graph)
        self._inputs = {tensor: name for name, tensor in inputs.items()}
        self._outputs = dict(outputs)
        self._required = frozenset(required)

    def of(self, output: str) -> frozenset[str]:
        """Return the required inputs that an output needs."""
        graph = self._graph()
        if graph is None:
            return frozenset()
        tensor = graph.get_tensor_by_name(self._outputs[output])
        behind = fed_behind([tensor], self._inputs.keys())
        return self._required & {self._inputs[fed] for fed in behind if fed in self._inputs}

    def outputs_that_need(self, inputs: Collection[str]) -> set[str]:
        """Return the outputs that need any of these inputs."""
        return set(self._only_input(inputs))

    def sufficient_alone(self) -> set[str]:
        """Return the inputs that suffice for some output without any other."""
        only = self._only_input(self._required)
        return {name for name in only.values() if name != _SEVERAL}

    def _only_input(self, inputs: Collection[str]) -> dict[str, str]:
        """Return, by output, the one of these inputs that it needs; ``_SEVERAL`` where it needs more than one."""
        graph = self._graph()
        if graph is None:
            return {}
        origins = {tensor: name for tensor, name in self._inputs.items() if name in inputs}
        reached = reached_from(graph, origins, self._inputs.keys())
        found = {}
        for output, tensor in self._outputs.items():
            if tensor in self._inputs:
                origin = origins.get(tensor)
            else:
                origin = reached.get(graph.get_tensor_by_name(tensor).op.name)
            if origin is not None:
                found[output] = origin
        return found


def reached_from(graph: Any, origins: Mapping[str, str], fed: Collection[str]) -> dict[str, str]:
    """Return the operations that run differently for other values of these tensors, with the origin of each.

    `origins` has a name for each tensor. An operation that several names reach has ``""``. What is behind the tensors
    `fed` does not run for them.
    """
    waits_for: defaultdict[str, list[Any]] = defaultdict(list)
    for op in graph.get_operations():
        for before in op.control_inputs:
            waits_for[before.name].append(op)
    reached: dict[str, str] = {}
    waiting: list[tuple[Any, str]] = []
    for tensor_name, origin in origins.items():
        tensor = graph.get_tensor_by_name(tensor_name)
        waiting.extend((op, origin) for op in tensor.consumers())
        if tensor.op.type in PLACEHOLDERS:
            # TensorFlow runs what waits for a placeholder after its feed.
            waiting.extend((op, origin) for op in waits_for[tensor.op.name])
    while waiting:
        op, origin = waiting.pop()
        before = reached.get(op.name)
        if before in {origin, _SEVERAL}:
            continue
        reached[op.name] = origin = origin if before is None else _SEVERAL
        for tensor in op.outputs:
            if tensor.name not in fed:
                waiting.extend((consumer, origin) for consumer in tensor.consumers())
        waiting.extend((consumer, origin) for consumer in waits_for.get(op.name, ()))
    return reached


def fed_behind(output_tensors: Iterable[Any], fed: Collection[str]) -> set[str]:
    """Return the tensors of `fed` that these outputs depend on, and the placeholders that have to be fed besides."""
    needed: set[str] = set()
    seen: set[str] = set()
    waiting = list(output_tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor.name in seen:
            continue
        seen.add(tensor.name)
        if tensor.name in fed or has_to_be_fed(tensor.op):
            needed.add(tensor.name)
            continue
        waiting.extend(tensor.op.inputs)
        controls = list(tensor.op.control_inputs)
        while controls:
            op = controls.pop()
            if f"^{op.name}" not in seen:
                seen.add(f"^{op.name}")
                waiting.extend(op.outputs if has_to_be_fed(op) else op.inputs)
                controls.extend(op.control_inputs)
    return needed


def has_to_be_fed(op: Any) -> bool:
    """Return whether an operation is a placeholder without a default."""
    return op.type in {"Placeholder", "PlaceholderV2"}
