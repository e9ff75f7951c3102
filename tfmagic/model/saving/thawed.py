"""Variables that were constants of a frozen graph: in a frozen file they are the same constants again."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tfmagic.model.sources.thawing import THAWED


def thawed_in(definition: Any) -> dict[str, str]:
    """Return what the constant was called that a variable was, by the variable's name.

    Parameters
    ----------
    definition
        A graph whose variables are variables still.
    """
    nodes = {node.name: node for node in definition.node}
    taken = Counter(edge.lstrip("^").split(":")[0] for node in definition.node for edge in node.input)
    found = {}
    for name, node in nodes.items():
        constant, _, last = name.rpartition("/")
        read = nodes.get(constant)
        if node.op == "VarHandleOp" and last.startswith(THAWED) and read is not None and taken[name] == 1:
            same = read.op == "ReadVariableOp" and list(read.input) == [name]
            if same and read.attr["dtype"].type == node.attr["dtype"].type:
                found[name] = constant
    return found


def put_together(definition: Any, constants: dict[str, str]) -> None:
    """Have one node stand for a variable and its reading.

    Parameters
    ----------
    definition
        The graph, in which placeholders stand where the variables were.
    constants
        What `thawed_in` found.
    """
    nodes = {node.name: node for node in definition.node}
    for variable, constant in constants.items():
        nodes[constant].CopyFrom(nodes[variable])
        nodes[constant].name = constant
    for index in range(len(definition.node) - 1, -1, -1):
        if definition.node[index].name in constants:
            del definition.node[index]
