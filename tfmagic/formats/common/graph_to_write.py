"""A model's graph as a message to write, without what tfmagic added to it."""

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


def definition_to_write(backend: GraphBackend, signatures: Iterable[Signature]) -> Any:
    """Return the ``GraphDef`` of a model for a file with these signatures."""
    label, device = backend.room.label, backend.room.device
    if backend.weights().constants_bytes > LARGEST_BYTES:
        msg = f"{label} has more than 2 GB of constants, which no file of a graph can hold"
        raise SaveError(msg)
    definition = backend.graph.as_graph_def()
    tensors = tensors_of(signatures)
    own_nodes = [node.name for node in definition.node if not node.name.startswith(OURS)]
    kept = reached(definition, [*own_nodes, *tensors])
    remove_nodes(definition.node, lambda node: node.name not in kept)
    merge_duplicate_variables(definition)
    for node in definition.node:
        if device is not None and node.device == device:
            # A device of this machine means nothing on the next one.
            node.device = ""
    _refuse_python(label, definition, tensors)
    return definition


def tensors_of(signatures: Iterable[Signature]) -> list[str]:
    """Return the names of the tensors that signatures take and give."""
    return [str(spec.tensor) for signature in signatures for spec in (*signature.inputs, *signature.outputs)]


def _refuse_python(label: str, definition: Any, tensors: Iterable[str]) -> None:
    """Refuse a graph that calls Python functions of this process, which no file holds."""
    kept = reached(definition, tensors)
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
    """Refuse a message that is too large to be written."""
    if message.ByteSize() > LARGEST_BYTES:
        msg = f"{label}: its graph is larger than 2 GB, which no file of a graph can hold"
        raise SaveError(msg)
