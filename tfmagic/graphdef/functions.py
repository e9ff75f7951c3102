"""The operations that call functions of a graph's library, and how their inputs and outputs are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container

CALLS: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "PartitionedCall": (0, "Tin", ("f",)),
    "StatefulPartitionedCall": (0, "Tin", ("f",)),
    "If": (1, "Tin", ("then_branch", "else_branch")),
    "StatelessIf": (1, "Tin", ("then_branch", "else_branch")),
    "Case": (1, "Tin", ("branches",)),
    "StatelessCase": (1, "Tin", ("branches",)),
    "While": (0, "T", ("cond", "body")),
    "StatelessWhile": (0, "T", ("cond", "body")),
}
"""Inputs before those of the functions, the attribute with their types, and those that name the functions."""

LOOPS = {"While", "StatelessWhile"}
"""Calls each of whose outputs is what the input of the same number has become."""

PASSES_ON = {"Identity", "Enter", "Exit", "NextIteration", "Switch", "Merge"}
"""Operations that hand on a variable as they do a value."""


def called_by(node: Any, library: Container[str]) -> list[Any]:
    """Return the messages that name the functions that a node calls; without any for one that is called itself.

    Parameters
    ----------
    node
        An operation of a graph or a function.
    library
        The names of the functions.
    """
    if node.op not in CALLS:
        return []
    values = [node.attr[name] for name in CALLS[node.op][2]]
    named = [one for value in values for one in ([value.func] if value.HasField("func") else value.list.func)]
    return [one for one in named if one.name in library]


def names_called(node: Any, library: Container[str]) -> list[str]:
    """Return the names of the functions that a node calls."""
    return [node.op] if node.op in library else [one.name for one in called_by(node, library)]


def arguments_of(node: Any) -> list[str]:
    """Return those inputs of a call that are the arguments of its functions."""
    first = CALLS[node.op][0] if node.op in CALLS else 0
    return [edge for edge in node.input if not edge.startswith("^")][first:]


def name_of(edge: str) -> str:
    """Return the operation or argument that an input comes from."""
    return edge.removeprefix("^").partition(":")[0]


def number_of(edge: str) -> int:
    """Return which output an input is: ``3`` of ``call:3`` in a graph, of ``call:output:3`` in a function."""
    last = edge.rpartition(":")[2]
    return int(last) if last.isdigit() else 0
