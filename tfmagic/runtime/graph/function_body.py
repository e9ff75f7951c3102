"""The operations of a function in a graph's library, with the consumers of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tfmagic.graphdef.functions import functions_called
from tfmagic.graphdef.op_types import LOOPS
from tfmagic.graphdef.walk import data_inputs, is_control, output_index, producer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operation(NamedTuple):
    """An operation of a graph or function: how many inputs it has, and which functions it calls."""

    name: str
    kind: str
    inputs: int
    functions: tuple[str, ...]


@dataclass
class Body:
    """The operations of a function.

    Consumers of each operation or argument are given with the input's position and the output's number, returned
    values with the output's number and the place among the results. TF1 conditions are given with what they run.
    """

    arguments: list[str]
    consumers: dict[str, list[tuple[Operation, int, int]]]
    returned: dict[str, list[tuple[int, int]]]
    conditional: dict[str, list[str]]


def operation_of(node: Any, library: Mapping[str, Any]) -> Operation:
    """Return the operation of a ``NodeDef``, which may call functions of the library."""
    functions = tuple(functions_called(node, library))
    if node.op in LOOPS and len(functions) > 1:
        # The condition first.
        functions = node.attr["cond"].func.name, node.attr["body"].func.name
    return Operation(node.name, node.op, len(data_inputs(node)), functions)


def is_branch(kind: str, input_kind: str | None) -> bool:
    """Return whether the operations that wait for this one are those of a TF1 condition's branch."""
    return kind == "Switch" or (kind == "Identity" and input_kind == "Switch")


def body_of(function: Any, library: Mapping[str, Any]) -> Body:
    """Return the operations of a ``FunctionDef``."""
    kinds = {node.name: node.op for node in function.node_def}
    consumers: defaultdict[str, list[tuple[Operation, int, int]]] = defaultdict(list)
    returned: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)

    def source(edge: str) -> tuple[str, int]:
        name, index = producer(edge), output_index(edge)
        if kinds.get(name) in library:
            # A function called as an operation: its outputs have the function's names.
            results = [result.name for result in library[kinds[name]].signature.output_arg]
            output = edge.split(":")[1]
            index = results.index(output) if output in results else index
        return name, index

    for node in function.node_def:
        operation = operation_of(node, library)
        for position, edge in enumerate(data_inputs(node)):
            name, index = source(edge)
            consumers[name].append((operation, position, index))
    for place, result in enumerate(function.signature.output_arg):
        name, index = source(function.ret[result.name])
        returned[name].append((index, place))
    return Body([one.name for one in function.signature.input_arg], consumers, returned, _conditional_in(function))


def _conditional_in(function: Any) -> dict[str, list[str]]:
    """Return the operations that each branch of a TF1 condition runs."""
    kinds = {node.name: node.op for node in function.node_def}
    branches = {
        node.name
        for node in function.node_def
        if is_branch(node.op, kinds.get(producer(node.input[0])) if node.input else None)
    }
    conditional: defaultdict[str, list[str]] = defaultdict(list)
    for node in function.node_def:
        for edge in node.input:
            if is_control(edge) and producer(edge) in branches:
                conditional[producer(edge)].append(node.name)
    return conditional
