"""A model's graph as a message, as it is to be written: without what tfmagic added for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.errors import SaveError
from tfmagic.model.sources.pruning import called_functions, reached
from tfmagic.model.unsafe_operations import RUNS_PYTHON
from tfmagic.runtime.values import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfmagic.model.graph_mode import GraphMode
    from tfmagic.model.signature import Signature

LARGEST_BYTES = 2**31 - 1
"""No message of protocol buffers, and so no graph, can be larger."""


def definition_of(mode: GraphMode, signatures: Iterable[Signature]) -> Any:
    """Return the ``GraphDef`` of a model.

    Parameters
    ----------
    mode
        The model.
    signatures
        Those of its signatures that are to be written.

    Raises
    ------
    SaveError
        When no file can hold it.
    """
    label, device = mode.room.label, mode.room.device
    if mode.weights().constants_bytes > LARGEST_BYTES:
        msg = f"{label} has more than 2 GB of constants, which no file of a graph can hold"
        raise SaveError(msg)
    definition = mode.graph.as_graph_def()
    ends = ends_of(signatures)
    _drop_ours(definition, ends)
    one_node_a_variable(definition)
    for node in definition.node:
        if device is not None and node.device == device:
            # What was asked of this machine is nothing to ask of the next.
            node.device = ""
    _refuse_python(label, definition, ends)
    return definition


def ends_of(signatures: Iterable[Signature]) -> list[str]:
    """Return the tensors that signatures take and give."""
    return [str(end.tensor) for signature in signatures for end in (*signature.inputs, *signature.outputs)]


def _drop_ours(definition: Any, ends: list[str]) -> None:
    """Take out the nodes that tfmagic has added, but for those that others depend on."""
    theirs = [node.name for node in definition.node if not node.name.startswith(OURS)]
    kept = reached(definition, [*theirs, *ends])
    # From the end, so that what is left to look at stays where it is.
    for index in range(len(definition.node) - 1, -1, -1):
        if definition.node[index].name not in kept:
            del definition.node[index]


def one_node_a_variable(definition: Any) -> None:
    """Have the first of several nodes that are one variable stand for all of them.

    In a session they are one by their name; TensorFlow 2's loader makes a variable
    of each.
    """
    first: dict[tuple[bytes, bytes], str] = {}
    same: dict[str, str] = {}
    for node in definition.node:
        if node.op in {"VarHandleOp", "VariableV2"}:
            key = (node.attr["container"].s, node.attr["shared_name"].s or node.name.encode())
            if first.setdefault(key, node.name) != node.name:
                same[node.name] = first[key]
    if not same:
        return
    for node in definition.node:
        for index, edge in enumerate(node.input):
            mark = "^" if edge.startswith("^") else ""
            name, colon, output = edge.removeprefix("^").partition(":")
            if name in same:
                node.input[index] = f"{mark}{same[name]}{colon}{output}"


def _refuse_python(label: str, definition: Any, ends: Iterable[str]) -> None:
    """Refuse a graph that calls Python functions of this process, which no file holds.

    Raises
    ------
    SaveError
        Naming the operation.
    """
    kept = reached(definition, ends)
    nodes = [node for node in definition.node if node.name in kept]
    bodies = (function.node_def for function in called_functions(nodes, definition.library))
    for some in (nodes, *bodies):
        for node in some:
            if node.op in RUNS_PYTHON:
                msg = (
                    f"{label} cannot be saved: its operation {node.name!r} ({node.op}) calls a Python function of "
                    "this notebook, which no file holds"
                )
                raise SaveError(msg)


def check_size(label: str, message: Any) -> None:
    """Refuse a message that is too large to be written.

    Raises
    ------
    SaveError
        Saying so.
    """
    if message.ByteSize() > LARGEST_BYTES:
        msg = f"{label}: its graph is larger than 2 GB, which no file of a graph can hold"
        raise SaveError(msg)


def keep_only(definition: Any, outputs: Iterable[str]) -> None:
    """Leave of a graph what these operations depend on, and the functions that it calls."""
    kept = reached(definition, outputs)
    for index in range(len(definition.node) - 1, -1, -1):
        node = definition.node[index]
        if node.name not in kept:
            del definition.node[index]
        elif "_class" in node.attr:
            # What stood beside a variable stands by itself: a constant may be anywhere.
            del node.attr["_class"]
    library = definition.library
    called = {function.signature.name for function in called_functions(definition.node, library)}
    for index in range(len(library.function) - 1, -1, -1):
        if library.function[index].signature.name not in called:
            del library.function[index]
    # Of the functions as they were; a frozen graph is not to be trained.
    del library.gradient[:]
