"""How large the tensors are that a graph declares: a constant of one value can stand for billions of elements."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.graphdef.walk import producer, reachable_functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ASSIGNMENTS = {"Assign", "AssignVariableOp"}
# An operation, the number of its input that is a shape, and the attribute with the dtype of its result.
_TAKES_SHAPE = {
    "Fill": (0, "T"),
    "BroadcastTo": (1, "T"),
    **dict.fromkeys(("Empty", "RandomUniform", "RandomStandardNormal", "TruncatedNormal"), (0, "dtype")),
    **dict.fromkeys(("StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal"), (0, "dtype")),
    **dict.fromkeys(("StatelessRandomUniformV2", "StatelessRandomNormalV2"), (0, "dtype")),
    **dict.fromkeys(("StatelessTruncatedNormalV2", "ParameterizedTruncatedNormal"), (0, "dtype")),
    **dict.fromkeys(("StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2"), (0, "dtype")),
    **dict.fromkeys(("StatelessRandomUniformInt", "StatelessRandomUniformIntV2"), (0, "dtype")),
    **dict.fromkeys(("StatelessRandomBinomial", "StatelessRandomPoisson", "StatelessRandomGammaV2"), (0, "dtype")),
    **dict.fromkeys(("StatelessParameterizedTruncatedNormal", "StatelessRandomGammaV3"), (0, "dtype")),
    "RandomUniformInt": (0, "Tout"),
    "RandomGamma": (0, "T"),
    "RandomPoisson": (0, "dtype"),
    "RandomPoissonV2": (0, "dtype"),
}
# An operation, and the number of its input that says how many entries it makes room for.
_TAKES_COUNT = {
    **dict.fromkeys(("TensorArray", "TensorArrayV2", "TensorArrayV3"), 0),
    **dict.fromkeys(("TensorListReserve", "TensorListResize"), 1),
    "LinSpace": 2,
}
# At least, of an array or a list of tensors, and of what a loop knows of a step.
_ENTRY_BYTES = 64
_STEPS = "parallel_iterations"
# What a tensor takes for an element whose own size is not known: a text, a resource.
_REFERENCE_BYTES = 24
_MOST_RANK = 254
_LARGE_BYTES = 1 << 26
# TensorFlow counts no further either.
_MOST_ELEMENTS = 2**63 - 1


class DeclaredTensor(NamedTuple):
    """A tensor that an operation makes, whatever it is fed: its size in bytes, the number of its elements."""

    name: str
    op: str
    size_bytes: int
    elements: int


def declared_constants(definition: Any) -> list[DeclaredTensor]:
    """Return the constants of a graph and of the functions that it calls, as large as they say they are.

    A large constant that is only assigned to variables is left out: where their values are restored it is not used.
    """
    own = [_constant(node) for node in definition.node if node.op == "Const"]
    large = {constant.name for constant in own if constant.size_bytes > _LARGE_BYTES}
    if large:
        consumers: defaultdict[str, set[str]] = defaultdict(set)
        for node in definition.node:
            for edge in node.input:
                consumers[producer(edge)].add(node.op)
        assigned = {name for name in large if consumers[name] and consumers[name] <= _ASSIGNMENTS}
        own = [constant for constant in own if constant.name not in assigned]
    return [*own, *(_constant(node) for nodes in _function_bodies(definition) for node in nodes if node.op == "Const")]


def declared_variables(definition: Any) -> list[DeclaredTensor]:
    """Return the variables of a graph whose shapes are known."""
    shapes = ((node, node.attr["shape"].shape) for node in definition.node if node.op in VARIABLES)
    return [
        _declared(node, [int(dim.size) for dim in shape.dim], node.attr["dtype"].type)
        for node, shape in shapes
        if not shape.unknown_rank
    ]


def declared_in_functions(definition: Any) -> Iterator[DeclaredTensor]:
    """Give the tensors that a graph's functions make of a constant shape; TensorFlow knows those of the graph."""
    for nodes in _function_bodies(definition):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op in _TAKES_SHAPE:
                index, dtype = _TAKES_SHAPE[node.op]
                sizes = _shape_at(node.input[index : index + 1], by_name)
                if sizes is not None:
                    yield _declared(node, sizes, node.attr[dtype].type)
            if node.op in _TAKES_COUNT:
                at = _TAKES_COUNT[node.op]
                yield _entries(node.name, node.op, _shape_at(node.input[at : at + 1], by_name) or [0])
            yield _entries(node.name, node.op, [node.attr[_STEPS].i] if _STEPS in node.attr else [0])


def uncountable(definition: Any) -> DeclaredTensor | None:
    """Return a tensor of a graph with more elements than can be counted: to import it ends the process."""
    by_name = {node.name: node for node in definition.node if node.op == "Const"}
    for node in definition.node:
        if node.op in _TAKES_SHAPE:
            index, dtype = _TAKES_SHAPE[node.op]
            sizes = _shape_at(node.input[index : index + 1], by_name) or [0]
            if math.prod(max(0, size) for size in sizes) > _MOST_ELEMENTS:
                return _declared(node, sizes, node.attr[dtype].type)
    return None


def large_tensors(graph: Any, least_bytes: int) -> dict[str, DeclaredTensor]:
    """Return the operations of a live graph that make a tensor of known size, from `least_bytes` on, by name."""
    large = {}
    for op in graph.get_operations():
        for tensor in op.outputs:
            elements = tensor.shape.num_elements()
            size = 0 if elements is None else elements * _item_bytes(tensor.dtype.as_datatype_enum)
            # A placeholder takes what is fed.
            if size >= least_bytes and not op.type.startswith("Placeholder"):
                large[op.name] = DeclaredTensor(op.name, op.type, *_size(elements, tensor.dtype.as_datatype_enum))
        entries = _entries_of(op)
        if entries.size_bytes >= least_bytes:
            large[op.name] = entries
    return large


def _entries_of(op: Any) -> DeclaredTensor:
    if op.type in _TAKES_COUNT:
        count = tf.get_static_value(op.inputs[_TAKES_COUNT[op.type]])
        return _entries(op.name, op.type, [0] if count is None or count.shape else [int(count)])
    steps = op.op_def is not None and any(attribute.name == _STEPS for attribute in op.op_def.attr)
    return _entries(op.name, op.type, [int(op.get_attr(_STEPS))] if steps else [0])


def _entries(name: str, op: str, counts: Iterable[int]) -> DeclaredTensor:
    count = min(math.prod(max(0, count) for count in counts), _MOST_ELEMENTS)
    return DeclaredTensor(name, op, count * _ENTRY_BYTES, count)


def _function_bodies(definition: Any) -> Iterator[Any]:
    for function in reachable_functions(definition.node, definition.library):
        yield function.node_def


def _constant(node: Any) -> DeclaredTensor:
    tensor = node.attr["value"].tensor
    return _declared(node, [int(dim.size) for dim in tensor.tensor_shape.dim], tensor.dtype)


def _declared(node: Any, sizes: Iterable[int], dtype: int) -> DeclaredTensor:
    return DeclaredTensor(node.name, node.op, *_size(math.prod(max(0, size) for size in sizes), dtype))


def _size(elements: int, dtype: int) -> tuple[int, int]:
    """Return the bytes and the number of elements."""
    elements = min(elements, _MOST_ELEMENTS)
    return elements * _item_bytes(dtype), elements


def _shape_at(edges: Iterable[str], nodes: Mapping[str, Any]) -> list[int] | None:
    """Return the values of a constant shape; None for one that is computed or damaged."""
    for edge in edges:
        node = nodes.get(producer(edge))
        if node is None or node.op != "Const" or _constant(node).elements > _MOST_RANK:
            return None
        try:
            return [int(size) for size in tf.make_ndarray(node.attr["value"].tensor).ravel()]
        except (TypeError, ValueError):
            return None
    return None


@cache
def _item_bytes(dtype: int) -> int:
    try:
        return int(tf.as_dtype(dtype).size) or _REFERENCE_BYTES
    except TypeError:
        return _REFERENCE_BYTES
