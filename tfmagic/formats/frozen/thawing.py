"""The large constants of a frozen graph, thawed: variables, which a session holds once.

TensorFlow copies a graph with its constants into every session, and once more for
each set of fetches that is run: 200 MB of frozen weights took 1,700 MB after three.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tfmagic.formats.frozen.slim_graph import bytes_in
from tfmagic.runtime.state.variables_io import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tfmagic.formats.frozen.slim_graph import SlimGraph


THAWED = "thawed"
"""What the name of a variable ends in that was the constant of the name before."""

LEFT_BYTES = 4_000_000
"""So much stays constant: TensorFlow computes once what depends on constants alone."""


class ThawedConstants:
    """Makes variables of the large constants of a graph, and fills them.

    Attributes
    ----------
    places : dict
        Which constant each variable was, by its name.
    """

    def __init__(self, slim: SlimGraph, *, none: bool) -> None:
        self._slim = slim
        thawed = set() if none else _chosen(slim)
        slim.put_back([place for place in slim.away if place not in thawed])
        taken = _names(slim.definition)
        self.places: dict[str, int] = {}
        for place in sorted(thawed):
            self.places[_thaw(slim.definition, place, taken)] = place

    def fill(self, graph: Any, native: Any) -> None:
        """Give the variables their values in a native session, each read as it is written."""
        values_of(graph).write(native, self._values())
        self._slim.loaded()

    def _values(self) -> Iterator[tuple[str, np.ndarray]]:
        names = {place: name for name, place in self.places.items()}
        for place, value in self._slim.values(names):
            yield names[place], value


def _chosen(slim: SlimGraph) -> set[int]:
    """Return which constants are to be variables: the largest, until what is left is little."""
    nodes = slim.definition.node
    left = sum(bytes_in(node.attr["value"].tensor) or 0 for node in nodes if node.op == "Const")
    chosen = set()
    for place in sorted(slim.away, key=lambda place: (-slim.away[place], place)):
        if left <= LEFT_BYTES:
            break
        if _may_thaw(nodes[place]):
            chosen.add(place)
            left -= slim.away[place]
    return chosen


def _may_thaw(node: Any) -> bool:
    # One that waits for others is in a branch or a loop of TF1, and a variable's
    # handle does not go there.
    extra = [name for name in node.attr if name not in {"dtype", "value"} and not name.startswith("_")]
    if node.input or extra or "dtype" not in node.attr:
        return False
    return bool(node.attr["dtype"].type == node.attr["value"].tensor.dtype)


def _names(definition: Any) -> set[str]:
    """Return the names of nodes and of what they share, in functions, too: a variable is known by such a name."""
    taken = set()
    bodies = (function.node_def for function in definition.library.function)
    for nodes in (definition.node, *bodies):
        for node in nodes:
            taken.add(node.name)
            if "shared_name" in node.attr:
                taken.add(node.attr["shared_name"].s.decode("utf-8", "replace"))
            if "shared_names" in node.attr:
                taken.update(name.decode("utf-8", "replace") for name in node.attr["shared_names"].list.s)
    return taken


def _thaw(definition: Any, place: int, taken: set[str]) -> str:
    """Have a node read a new variable, under its own name, and return the variable's."""
    node = definition.node[place]
    name = f"{node.name}/{THAWED}"
    number = 0
    while name in taken:
        number += 1
        name = f"{node.name}/{THAWED}_{number}"
    taken.add(name)
    handle = definition.node.add(name=name, op="VarHandleOp", device=node.device)
    handle.attr["dtype"].type = node.attr["dtype"].type
    handle.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
    # Without one of its own, all variables of a graph would be one.
    handle.attr["shared_name"].s = name.encode()
    node.op = "ReadVariableOp"
    node.input.append(name)
    del node.attr["value"]
    return name


def thawed_in(definition: Any) -> dict[str, str]:
    """Return what the constant was called that a variable was, by the variable's name."""
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


def merge_thawed(definition: Any, constants: dict[str, str]) -> None:
    """Have one node stand for a variable and its reading."""
    nodes = {node.name: node for node in definition.node}
    for variable, constant in constants.items():
        nodes[constant].CopyFrom(nodes[variable])
        nodes[constant].name = constant
    for index in range(len(definition.node) - 1, -1, -1):
        if definition.node[index].name in constants:
            del definition.node[index]
