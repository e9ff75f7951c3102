"""The operations of a ``tf.Graph``: those that a run needs, their constants and side effects, and adding some."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.graphdef.op_types import HAS_SIDE_EFFECTS, STATEFUL_RANDOM, WRITES_TABLES, WRITES_VARIABLES
from tfmagic.graphdef.walk import functions_called, takes_functions
from tfmagic.runtime.tensorflow.private import unfinalize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


def operations_behind(graph: Any, fetches: Iterable[str], fed: Collection[str] = ()) -> set[Any]:
    """Return the operations that run for these tensors or operations, when the tensors `fed` are given."""
    elements = [graph.as_graph_element(name) for name in fetches if name not in fed]
    waiting = [element if isinstance(element, tf.Operation) else element.op for element in elements]
    operations: set[Any] = set()
    while waiting:
        op = waiting.pop()
        if op not in operations:
            operations.add(op)
            waiting.extend(op.control_inputs)
            waiting.extend(tensor.op for tensor in op.inputs if tensor.name not in fed)
    return operations


def constants_of(operations: Iterable[Any]) -> int:
    """Return the size in bytes of the constants among operations, text included."""
    return sum(_constant_bytes(op) for op in operations if op.type == "Const")


def _constant_bytes(op: Any) -> int:
    tensor = op.outputs[0]
    elements = tensor.shape.num_elements() or 0
    if tensor.dtype != tf.string:
        return int(elements * tensor.dtype.size)
    size = getattr(op, _TEXT_BYTES, None)
    if size is None:
        # A constant never changes; a vocabulary takes a while to look through.
        texts = op.get_attr("value").string_val
        size = sum(map(len, texts))
        # The last text stands for those that follow.
        size += (elements - len(texts)) * len(texts[-1]) if texts and len(texts) < elements else 0
        setattr(op, _TEXT_BYTES, size)
    return int(size)


def may_write(graph: Any, fetches: Iterable[str]) -> bool:
    """Return whether a run that fetches these tensors or operations may write to variables or tables."""
    return any(_writes(kind) for kind in _types(graph, fetches))


def stateful_operation(graph: Any, fetches: Iterable[str], *, is_new_trace: bool = False) -> str | None:
    """Return the type of an operation, other than a write, that makes one run differ from the next; None without."""
    # A graph that was traced for this run alone has new random generators.
    for kind in _types(graph, fetches):
        if HAS_SIDE_EFFECTS.match(kind) or (not is_new_trace and STATEFUL_RANDOM.match(kind)):
            return kind
    return None


def _types(graph: Any, fetches: Iterable[str]) -> Iterator[str]:
    """Give the types of the operations that run, with those of called functions in place of the calls."""
    operations = operations_behind(graph, fetches)
    by_type = {op.type: op for op in operations}
    yield from filter(_is_tensorflows, by_type)
    # A type that TensorFlow does not have may be a function of the graph's library.
    if all(_is_tensorflows(op.type) and not takes_functions(op) for op in by_type.values()):
        return
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    names = {op.name for op in operations}
    nodes = [node for node in definition.node if node.name in names]
    seen: set[str] = set()
    while nodes:
        node = nodes.pop()
        called = functions_called(node, library)
        if not called:
            yield node.op
        for name in set(called) - seen:
            seen.add(name)
            nodes.extend(library[name].node_def)


def _is_tensorflows(kind: str) -> bool:
    return hasattr(tf.raw_ops, kind) or kind.startswith("_")


def _writes(kind: str) -> bool:
    # An operation that TensorFlow itself does not have could do anything.
    return not _is_tensorflows(kind) or bool(WRITES_VARIABLES.match(kind) or WRITES_TABLES.match(kind))


_ATTRIBUTE = "_tfmagic_additions"
_TEXT_BYTES = "_tfmagic_text_bytes"
_lock = threading.Lock()


@contextmanager
def adding_to(graph: Any, *, beside: Any = None) -> Iterator[None]:
    """Make a graph the default without the person's open scopes, and unfinalize it; `beside` gives the device."""
    with (
        _unfinalized(graph),
        graph.as_default(),
        graph.control_dependencies(None),
        graph.name_scope(None),
        graph.colocate_with(beside, ignore_existing=True),
    ):
        yield


@contextmanager
def _unfinalized(graph: Any) -> Iterator[None]:
    """Unfinalize a graph until the last of several threads has left the block."""
    with _lock:
        count, was_finalized = getattr(graph, _ATTRIBUTE, (0, False))
        if graph.finalized:
            was_finalized = True
            unfinalize(graph)
        setattr(graph, _ATTRIBUTE, (count + 1, was_finalized))
    try:
        yield
    finally:
        with _lock:
            count, was_finalized = getattr(graph, _ATTRIBUTE)
            setattr(graph, _ATTRIBUTE, (count - 1, was_finalized and count > 1))
            if was_finalized and count == 1:
                graph.finalize()
