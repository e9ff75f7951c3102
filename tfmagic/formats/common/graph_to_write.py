"""A model's graph as a message, as it is to be written: without what tfmagic added for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.errors import SaveError
from tfmagic.graphdef.functions import reachable_functions
from tfmagic.graphdef.op_types import RUNS_PYTHON
from tfmagic.graphdef.prune import merge_duplicate_variables, reached
from tfmagic.graphdef.walk import remove_nodes
from tfmagic.runtime.state.variables_io import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.signature.signature import Signature

LARGEST_BYTES = 2**31 - 1
"""No message of protocol buffers, and so no graph, can be larger."""


def definition_of(backend: GraphBackend, signatures: Iterable[Signature]) -> Any:
    """Return the ``GraphDef`` of a model.

    Parameters
    ----------
    backend
        The model.
    signatures
        Those of its signatures that are to be written.

    Raises
    ------
    SaveError
        When no file can hold it.
    """
    label, device = backend.room.label, backend.room.device
    if backend.weights().constants_bytes > LARGEST_BYTES:
        msg = f"{label} has more than 2 GB of constants, which no file of a graph can hold"
        raise SaveError(msg)
    definition = backend.graph.as_graph_def()
    ends = ends_of(signatures)
    _drop_ours(definition, ends)
    merge_duplicate_variables(definition)
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
    remove_nodes(definition.node, lambda node: node.name not in kept)


def _refuse_python(label: str, definition: Any, ends: Iterable[str]) -> None:
    """Refuse a graph that calls Python functions of this process, which no file holds.

    Raises
    ------
    SaveError
        Naming the operation.
    """
    kept = reached(definition, ends)
    nodes = [node for node in definition.node if node.name in kept]
    bodies = (function.node_def for function in reachable_functions(nodes, definition.library))
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
