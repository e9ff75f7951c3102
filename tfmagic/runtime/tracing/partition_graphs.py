"""Where operations really ran: read from the partition graphs that TensorFlow made for a run.

``Operation.device`` is what was asked for. What became of it, after placement,
soft placement and grappler, is only in the graphs that the run was cut into, one a
device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.tracing.step_stats import short_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# What TensorFlow puts in where a graph is cut or called; no operation of anybody's.
_SEAMS = {"_Arg", "_Retval", "_Recv", "_Send", "_HostRecv", "_HostSend", "_DeviceArg", "_DeviceRetval"}
# What TensorFlow calls the functions of its control flow where it puts them in the place of the If, While or Case.
_BRANCHES = {"then_branch": "then", "else_branch": "else", "body": "body", "cond": "cond"}
_NUMBERED = re.compile(r"/(then|else|body|cond|branch\d+)/_\d+/")
_COPIED = re.compile(r"_\d+$")
_PARTS = ("job", "replica", "task", "device_type", "device_index")


@dataclass(frozen=True)
class PlacedOperation:
    """One operation where it ran: its name and type as TensorFlow made them, and the device, ``CPU:0``."""

    name: str
    type: str
    device: str


def placed(partition_graphs: Iterable[Any]) -> dict[str, PlacedOperation]:
    """Return by name the operations of a run's partition graphs (``GraphDef``), without the seams between these."""
    return {
        node.name: PlacedOperation(node.name, node.op, short_device(node.device))
        for graph in partition_graphs
        for node in graph.node
        if node.op not in _SEAMS
    }


def requested(graph: Any) -> dict[str, str]:
    """Return by name the device that each operation of a graph asks for, empty where it asks for none.

    What a function does when it is called bears the name that TensorFlow gives it
    when it puts the function in the place of the call: ``call/matmul``, and of control
    flow ``while/body/matmul``; `asked_for` knows what else there is in such a name.
    """
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    asked: dict[str, str] = {}
    waiting = [("", definition.node, frozenset[str]())]
    while waiting:
        prefix, nodes, within = waiting.pop()
        for node in nodes:
            asked[prefix + node.name] = node.device
            waiting.extend(
                (f"{prefix}{node.name}/{place}", library[name].node_def, within | {name})
                for place, name in _called(node)
                # A function may call itself.
                if name in library and name not in within
            )
    return asked


def asked_for(asked: Mapping[str, str], name: str) -> str | None:
    """Return the device that an operation of a run asked for; None where nobody knows.

    Parameters
    ----------
    asked
        What `requested` gives.
    name
        The operation's as it ran: control flow is numbered, ``while/body/_1/matmul_0``.
    """
    if name in asked:
        return asked[name]
    plain = _NUMBERED.sub(r"/\1/", name)
    if plain == name:
        return None
    return asked.get(plain, asked.get(_COPIED.sub("", plain)))


def _called(node: Any) -> Iterator[tuple[str, str]]:
    for attribute, value in node.attr.items():
        if value.HasField("func"):
            yield (f"{_BRANCHES[attribute]}/" if attribute in _BRANCHES else ""), value.func.name
        for number, function in enumerate(value.list.func):
            yield f"branch{number}/", function.name
    # A function of TensorFlow 1 is an operation of its own.
    yield "", node.op


def is_elsewhere(asked: str | None, device: str | None) -> bool:
    """Return whether something is on another device than was asked for; False where either is not known.

    Parameters
    ----------
    asked
        A request in any of TensorFlow's forms, which may leave parts open.
    device
        Where it is, ``CPU:0``.
    """
    if not asked or not device:
        return False
    wanted = tf.DeviceSpec.from_string(asked)
    actual = tf.DeviceSpec.from_string(f"/job:localhost/replica:0/task:0/device:{device.split(' ')[0]}")
    return any(getattr(wanted, part) is not None and getattr(wanted, part) != getattr(actual, part) for part in _PARTS)
