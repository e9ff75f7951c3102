"""Thaws a frozen graph: its large constants become variables, which a session holds once.

TensorFlow copies a graph with its constants into every session, and once more for
each set of fetches that is run: 200 MB of frozen weights took 1,700 MB after three.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tfmagic.formats.frozen.slim_graph import bytes_in
from tfmagic.graphdef.walk import bodies, free_name, producer, remove_nodes
from tfmagic.runtime.state.variables_io import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tfmagic.formats.frozen.slim_graph import SlimGraph


THAWED = "thawed"
"""The ending of a thawed variable's name, after the name of the constant that it was."""

LEFT_BYTES = 4_000_000
"""So many bytes stay constant: TensorFlow computes once what depends on constants alone."""


class ThawedConstants:
    """Makes variables of a slim graph's large constants (``constant_of`` has the index of each), and fills them."""

    def __init__(self, slim: SlimGraph, *, keep_frozen: bool) -> None:
        self._slim = slim
        thawed = set() if keep_frozen else _chosen(slim)
        slim.put_back([index for index in slim.removed_bytes if index not in thawed])
        names = _names(slim.definition)
        self.constant_of: dict[str, int] = {}
        for index in sorted(thawed):
            self.constant_of[_thaw(slim.definition, index, names)] = index

    def fill(self, graph: Any, native: Any) -> None:
        """Give the variables their values in a native session, each read as it is written."""
        values_of(graph).write(native, self._values())
        self._slim.release_parsed()

    def _values(self) -> Iterator[tuple[str, np.ndarray]]:
        names = {index: name for name, index in self.constant_of.items()}
        for index, value in self._slim.values(names):
            yield names[index], value


def _chosen(slim: SlimGraph) -> set[int]:
    """Return the indices of the constants to thaw: the largest first, until little is left."""
    nodes = slim.definition.node
    left_bytes = sum(bytes_in(node.attr["value"].tensor) or 0 for node in nodes if node.op == "Const")
    chosen = set()
    for index in sorted(slim.removed_bytes, key=lambda index: (-slim.removed_bytes[index], index)):
        if left_bytes <= LEFT_BYTES:
            break
        if _may_thaw(nodes[index]):
            chosen.add(index)
            left_bytes -= slim.removed_bytes[index]
    return chosen


def _may_thaw(node: Any) -> bool:
    # A constant with control inputs is in a TF1 branch or loop, which a variable's handle cannot enter.
    extra = [name for name in node.attr if name not in {"dtype", "value"} and not name.startswith("_")]
    if node.input or extra or "dtype" not in node.attr:
        return False
    return bool(node.attr["dtype"].type == node.attr["value"].tensor.dtype)


def _names(definition: Any) -> set[str]:
    """Return all names and shared names of nodes, functions included: no new variable may have one of them."""
    names = set()
    for nodes in bodies(definition):
        for node in nodes:
            names.add(node.name)
            if "shared_name" in node.attr:
                names.add(node.attr["shared_name"].s.decode("utf-8", "replace"))
            if "shared_names" in node.attr:
                names.update(name.decode("utf-8", "replace") for name in node.attr["shared_names"].list.s)
    return names


def _thaw(definition: Any, index: int, names: set[str]) -> str:
    """Turn a constant into the reading of a new variable, and return the variable's name."""
    node = definition.node[index]
    name = free_name(f"{node.name}/{THAWED}", names)
    names.add(name)
    handle = definition.node.add(name=name, op="VarHandleOp", device=node.device)
    handle.attr["dtype"].type = node.attr["dtype"].type
    handle.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
    # Variables without a shared name would all be the same variable.
    handle.attr["shared_name"].s = name.encode()
    node.op = "ReadVariableOp"
    node.input.append(name)
    del node.attr["value"]
    return name


def thawed_in(definition: Any) -> dict[str, str]:
    """Return the name of the constant that each thawed variable was, by the variable's name."""
    nodes = {node.name: node for node in definition.node}
    names = Counter(producer(edge) for node in definition.node for edge in node.input)
    thawed_constants = {}
    for name, node in nodes.items():
        constant, _, last = name.rpartition("/")
        read = nodes.get(constant)
        if node.op == "VarHandleOp" and last.startswith(THAWED) and read is not None and names[name] == 1:
            same = read.op == "ReadVariableOp" and list(read.input) == [name]
            if same and read.attr["dtype"].type == node.attr["dtype"].type:
                thawed_constants[name] = constant
    return thawed_constants


def merge_thawed(definition: Any, constants: dict[str, str]) -> None:
    """Replace each thawed variable and its reading by one node, the placeholder that stands for the variable."""
    nodes = {node.name: node for node in definition.node}
    for variable, constant in constants.items():
        nodes[constant].CopyFrom(nodes[variable])
        nodes[constant].name = constant
    remove_nodes(definition.node, lambda node: node.name in constants)
