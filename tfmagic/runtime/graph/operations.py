"""The operations of a ``tf.Graph`` that a run needs, and the size of their constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable


def operations_behind(graph: Any, fetches: Iterable[str]) -> set[Any]:
    """Return the operations that run for these tensors or operations."""
    elements = [graph.as_graph_element(name) for name in fetches]
    waiting = [element if isinstance(element, tf.Operation) else element.op for element in elements]
    operations: set[Any] = set()
    while waiting:
        op = waiting.pop()
        if op not in operations:
            operations.add(op)
            waiting.extend(op.control_inputs)
            waiting.extend(tensor.op for tensor in op.inputs)
    return operations


def constants_of(operations: Iterable[Any]) -> int:
    """Return the size in bytes of the constants among operations: a frozen graph has its weights there.

    It is told from dtype and shape. Text counts for nothing: it has no fixed size.
    """
    tensors = (op.outputs[0] for op in operations if op.type == "Const")
    return sum(
        (tensor.shape.num_elements() or 0) * tensor.dtype.size for tensor in tensors if tensor.dtype != tf.string
    )
