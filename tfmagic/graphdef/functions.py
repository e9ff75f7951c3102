"""Calls of the functions in a graph's library, and how the inputs and outputs of a call are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tfmagic.graphdef.op_types import LOOPS, PARTITIONED_CALLS
from tfmagic.graphdef.walk import data_inputs

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator


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
