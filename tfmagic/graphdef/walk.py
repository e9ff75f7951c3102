"""Edges of a GraphDef, and which nodes depend on which.

A node's input is ``^name`` for a control dependency, ``name`` or ``name:1`` in a graph,
and ``name:output:1`` in the body of a function.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping


def is_control(edge: str) -> bool:
    """Return whether an input only orders two operations, and carries no tensor."""
    return edge.startswith("^")


def producer(edge: str) -> str:
    """Return the name of the operation or argument that an input comes from."""
    return edge.removeprefix("^").partition(":")[0]


def output_index(edge: str) -> int:
    """Return the output's number: 3 for ``call:3`` in a graph and for ``call:output:3`` in a function."""
    last = edge.rpartition(":")[2]
    return int(last) if last.isdigit() else 0


def data_inputs(node: Any) -> list[str]:
    """Return the inputs of a node that carry tensors."""
    return [edge for edge in node.input if not is_control(edge)]


def bodies(definition: Any) -> list[Any]:
    """Return the nodes of a graph, and those of each of its functions."""
    return [definition.node, *(function.node_def for function in definition.library.function)]


def ancestors(nodes: Mapping[str, Any], roots: Iterable[str], *, controls: bool = True) -> set[str]:
    """Return the names of the nodes behind these tensors or nodes, themselves included.

    A function's arguments are no nodes, and are left out.
    """
    reached: set[str] = set()
    waiting = [producer(root) for root in roots]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in reached:
            reached.add(name)
            waiting.extend(producer(edge) for edge in nodes[name].input if controls or not is_control(edge))
    return reached


def descendants(nodes: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return the names of the nodes that wait for these in any way, themselves included."""
    consumers = defaultdict(list)
    for name, node in nodes.items():
        for edge in node.input:
            consumers[producer(edge)].append(name)
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(consumers[name])
    return reached


def free_name(name: str, names: Container[str]) -> str:
    """Return ``name``, or ``name_1`` and so on where a name is in use."""
    number, candidate = 0, name
    while candidate in names:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def redirect_inputs(nodes: Iterable[Any], new: Mapping[str, str]) -> None:
    """Replace the producers of inputs by others, each by its name."""
    for node in nodes:
        for index, edge in enumerate(node.input):
            name = producer(edge)
            if name in new:
                node.input[index] = edge.replace(name, new[name], 1)


def remove_nodes(nodes: Any, is_unwanted: Callable[[Any], bool]) -> None:
    """Delete nodes from a repeated field in place, from its end so that the indexes hold."""
    for index in range(len(nodes) - 1, -1, -1):
        if is_unwanted(nodes[index]):
            del nodes[index]
