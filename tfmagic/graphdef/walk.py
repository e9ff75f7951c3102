"""Edges of a GraphDef, which nodes depend on which, and calls of the functions in its library.

A node's input is ``^name`` for a control dependency, ``name`` or ``name:1`` in a graph, and ``name:output:1`` in the
body of a function.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tfmagic.graphdef.op_types import LOOPS, PARTITIONED_CALLS

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping


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
    """Return the names of the nodes (not arguments) behind these tensors or nodes, themselves included."""
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


class _Call(NamedTuple):
    """An operation that calls functions: its inputs before their arguments, and its attributes."""

    inputs_before: int
    types: str
    functions: tuple[str, ...]


CALLS = {
    **dict.fromkeys(PARTITIONED_CALLS, _Call(0, "Tin", ("f",))),
    **dict.fromkeys(("If", "StatelessIf"), _Call(1, "Tin", ("then_branch", "else_branch"))),
    **dict.fromkeys(("Case", "StatelessCase"), _Call(1, "Tin", ("branches",))),
    **dict.fromkeys(LOOPS, _Call(0, "T", ("cond", "body"))),
}
"""How the operations in `op_types.FUNCTION_CALLS` hand their inputs to their functions."""


def functions_in(attributes: Any) -> Iterator[Any]:
    """Give the ``NameAttrList`` messages among the attributes of a node."""
    for value in attributes.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func
        elif kind == "list":
            yield from value.list.func


def takes_functions(op: Any) -> bool:
    """Return whether the attributes of a live ``tf.Operation`` can name functions."""
    return any("func" in attribute.type for attribute in op.op_def.attr)


def functions_named(node: Any) -> Iterator[str]:
    """Give the names of the functions that a node may call: its operation, and all that its attributes name."""
    yield node.op
    waiting = [node.attr]
    while waiting:
        for function in functions_in(waiting.pop()):
            yield function.name
            # A function can be handed functions in turn.
            waiting.append(function.attr)


def functions_called(node: Any, library: Container[str]) -> list[str]:
    """Return the names of the library's functions that any operation could call: itself, or what it names."""
    if node.op in library:
        return [node.op]
    return [function.name for function in functions_in(node.attr) if function.name in library]


def call_targets(node: Any, library: Container[str]) -> list[Any]:
    """Return the messages that name the functions of a node in `CALLS`, in the table's order."""
    if node.op not in CALLS:
        return []
    values = [node.attr[name] for name in CALLS[node.op].functions]
    named = [target for value in values for target in ([value.func] if value.HasField("func") else value.list.func)]
    return [target for target in named if target.name in library]


def call_target_names(node: Any, library: Container[str]) -> list[str]:
    """Return the functions of a node in `CALLS`, or of one whose operation is a function."""
    return [node.op] if node.op in library else [target.name for target in call_targets(node, library)]


def call_arguments(node: Any) -> list[str]:
    """Return those inputs of a call that are the arguments of its functions."""
    return data_inputs(node)[CALLS[node.op].inputs_before if node.op in CALLS else 0 :]


def reachable_functions(nodes: Iterable[Any], library: Any) -> list[Any]:
    """Return the functions of a library that these nodes call, directly or through others."""
    functions = {function.signature.name: function for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}
    reached: set[str] = set()
    waiting = [name for node in nodes for name in functions_named(node)]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in reached:
            reached.add(name)
            waiting.append(gradients.get(name, ""))
            waiting.extend(called for node in functions[name].node_def for called in functions_named(node))
    return [function for name, function in functions.items() if name in reached]
