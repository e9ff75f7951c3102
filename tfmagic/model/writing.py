"""Whether running a graph changes its variables or tables, told from its operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WRITES = re.compile(
    r"Assign|(Resource)?(Sparse)?Apply[A-Z]|ResourceScatter|(Resource)?StridedSliceAssign"
    r"|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)$|Rng|Stateful(Standard|Uniform|Truncated|Random)|(Resource)?CountUpTo"
)
"""The types of the operations that write to variables."""

_CHANGES_TABLES = re.compile(r"LookupTable(Insert|Import|Remove)")


def may_write(graph: Any, fetches: Iterable[str]) -> bool:
    """Return whether a run that fetches these tensors could change what the graph holds.

    An operation that TensorFlow itself does not have could do anything, so it counts.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    fetches
        Names of tensors and operations.
    """
    elements = [graph.as_graph_element(name) for name in fetches]
    waiting = [one if isinstance(one, tf.Operation) else one.op for one in elements]
    seen: set[Any] = set()
    functions: set[str] = set()
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        waiting.extend(op.control_inputs)
        waiting.extend(tensor.op for tensor in op.inputs)
    calling = False
    kinds = {op.type: op for op in seen}
    for op in kinds.values():
        if _writes(op.type):
            # Else a function of the graph's library: those are looked at below.
            if WRITES.match(op.type) or _CHANGES_TABLES.match(op.type):
                return True
            calling = True
        calling = calling or any("func" in attribute.type for attribute in op.op_def.attr)
    if not calling:
        return False
    definition = graph.as_graph_def()
    library = {one.signature.name: one for one in definition.library.function}
    names = {op.name for op in seen}
    for node in definition.node:
        if node.name in names:
            called = _called(node, library)
            if _writes(node.op) and not called:
                return True
            functions.update(called)
    return _any_writes(functions, library)


def _called(node: Any, library: Mapping[str, Any]) -> list[str]:
    """Return the functions that an operation could call: itself, or any that it names."""
    if node.op in library:
        return [node.op]
    named = [one for value in node.attr.values() for one in (value.func, *value.list.func)]
    return [one.name for one in named if one.name in library]


def _any_writes(names: Iterable[str], library: Mapping[str, Any]) -> bool:
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in library[name].node_def:
            called = _called(node, library)
            if _writes(node.op) and not called:
                return True
            waiting.extend(called)
    return False


def _writes(kind: str) -> bool:
    known = hasattr(tf.raw_ops, kind) or kind.startswith("_")
    return not known or bool(WRITES.match(kind) or _CHANGES_TABLES.match(kind))
