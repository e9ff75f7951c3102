"""Where operations really ran, read from the partition graphs of a run.

``Operation.device`` is a request. Its outcome, after placement, soft placement and
grappler, is only in the graphs into which TensorFlow cuts a run, one a device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.tracing.step_stats import short_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# TensorFlow adds these where a graph is cut or called.
_BOUNDARY_OPS = {"_Arg", "_Retval", "_Recv", "_Send", "_HostRecv", "_HostSend", "_DeviceArg", "_DeviceRetval"}
# The name scopes of control flow functions when TensorFlow inlines them in place of the If, While or Case.
_BRANCHES = {"then_branch": "then", "else_branch": "else", "body": "body", "cond": "cond"}
_NUMBERED = re.compile(r"/(then|else|body|cond|branch\d+)/_\d+/")
_COPIED = re.compile(r"_\d+$")
_PARTS = ("job", "replica", "task", "device_type", "device_index")


@dataclass(frozen=True)
class PlacedOperation:
    """An operation as it ran: its final name and type, and the device, such as ``CPU:0``."""

    name: str
    type: str
    device: str


def placed_operations(partition_graphs: Iterable[Any]) -> dict[str, PlacedOperation]:
    """Return by name the operations of a run's partition graphs (``GraphDef``), without boundary operations."""
    return {
        node.name: PlacedOperation(node.name, node.op, short_device(node.device))
        for graph in partition_graphs
        for node in graph.node
        if node.op not in _BOUNDARY_OPS
    }


def requested_devices(graph: Any) -> dict[str, str]:
    """Return by name the device that each operation of a graph requests; empty where it requests none.

    Operations inside functions have the names that TensorFlow gives them when it inlines the function:
    ``call/matmul``, or ``while/body/matmul`` for control flow. `requested_device` handles the numbers in such names.
    """
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    requests: dict[str, str] = {}
    waiting = [("", definition.node, frozenset[str]())]
    while waiting:
        prefix, nodes, within = waiting.pop()
        for node in nodes:
            requests[prefix + node.name] = node.device
            waiting.extend(
                (f"{prefix}{node.name}/{scope}", library[name].node_def, within | {name})
                for scope, name in _called_functions(node)
                # A function may call itself.
                if name in library and name not in within
            )
    return requests


def requested_device(requests: Mapping[str, str], name: str) -> str | None:
    """Return the device that an operation requested, by its name in the run: ``while/body/_1/matmul_0``."""
    if name in requests:
        return requests[name]
    plain = _NUMBERED.sub(r"/\1/", name)
    if plain == name:
        return None
    return requests.get(plain, requests.get(_COPIED.sub("", plain)))


def _called_functions(node: Any) -> Iterator[tuple[str, str]]:
    for attribute, value in node.attr.items():
        if value.HasField("func"):
            yield (f"{_BRANCHES[attribute]}/" if attribute in _BRANCHES else ""), value.func.name
        for number, function in enumerate(value.list.func):
            yield f"branch{number}/", function.name
    # In TensorFlow 1 the operation is named for the function.
    yield "", node.op


def was_moved(requested: str | None, device: str | None) -> bool:
    """Return whether an operation is on another device than its request, in any form, allows; False if unknown."""
    if not requested or not device:
        return False
    wanted = tf.DeviceSpec.from_string(requested)
    actual = tf.DeviceSpec.from_string(f"/job:localhost/replica:0/task:0/device:{device.split(' ')[0]}")
    return any(getattr(wanted, part) is not None and getattr(wanted, part) != getattr(actual, part) for part in _PARTS)
