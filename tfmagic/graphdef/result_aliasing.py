"""Which results of a run may share memory with a variable, a constant, or the caller's own array.

A native call returns a tensor's memory without a copy. Where an operation forwards its input
(``Identity``, a reshape, what the optimizer makes of ``x * 1``), that memory is in use
elsewhere, and a person who changes the array would change the model's weights.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfmagic.graphdef.op_types import ALIASES_AN_OPERAND, ALIASES_INPUT, ALLOCATES_OUTPUT, PARTITIONED_CALLS
from tfmagic.graphdef.walk import data_inputs, descendants, output_index, producer

if TYPE_CHECKING:
    from collections.abc import Sequence

# Outputs of operations in ALLOCATES_OUTPUT and ALIASES_INPUT that are not the first.
_LATER_OUTPUTS = frozenset({"batch_mean", "batch_variance", "indices", *(f"reserve_space_{n}" for n in (1, 2, 3))})
# A result further from the operation that made it is copied, which is never wrong.
_DEPTH = 12


def shared_results(graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> tuple[int, ...]:
    """Return the places in `fetches` of the tensors that may share memory; `feeds` and `fetches` are tensor names."""
    body = _GraphBody(graph, frozenset(feeds))
    tensors = [graph.get_tensor_by_name(name) for name in fetches]
    return tuple(index for index, tensor in enumerate(tensors) if not _owns_memory(body, tensor, _DEPTH))


def _owns_memory(body: _Body, value: Any, depth: int) -> bool:
    # The executor may compute a value that no feed changes once, and keep it.
    return body.depends_on_feeds(value) and _is_allocated(body, value, depth)


def _is_allocated(body: _Body, value: Any, depth: int) -> bool:
    operation = body.operation(value)
    if operation is None or depth == 0:
        return False
    kind, inputs, index = operation
    if kind in PARTITIONED_CALLS:
        inner = body.callee(value)
        return inner is not None and _owns_memory(*inner, depth - 1)
    if index > 0:
        return False
    if kind in ALIASES_AN_OPERAND:
        return any(_owns_memory(body, operand, depth - 1) for operand in inputs)
    return kind in ALLOCATES_OUTPUT or (kind in ALIASES_INPUT and _is_allocated(body, inputs[0], depth - 1))


class _GraphBody:
    """A graph's own operations, whose values are tensors."""

    def __init__(self, graph: Any, fed: frozenset[str]) -> None:
        self._graph = graph
        self._fed = fed
        self._functions = _Functions(graph)

    def operation(self, value: Any) -> tuple[str, list[Any], int] | None:
        """Return the type, the inputs, and which output `value` is; None for a value from outside."""
        # A tensor in the middle of the graph can be fed: its operation does not run then.
        return None if value.name in self._fed else (value.op.type, list(value.op.inputs), value.value_index)

    def depends_on_feeds(self, value: Any) -> bool:
        """Return whether the caller's feeds can change a value."""
        return value.name in self._fed or value.op in self._dependents

    @cached_property
    def _dependents(self) -> set[Any]:
        """The operations that any feed leads to."""
        dependents: set[Any] = set()
        waiting = [op for name in self._fed for op in self._graph.get_tensor_by_name(name).consumers()]
        while waiting:
            op = waiting.pop()
            if op not in dependents:
                dependents.add(op)
                waiting.extend(consumer for tensor in op.outputs for consumer in tensor.consumers())
        return dependents

    def callee(self, value: Any) -> tuple[_Body, Any] | None:
        """Return the function that a call runs, and which of its values is this result."""
        fed = [self.depends_on_feeds(tensor) for tensor in value.op.inputs]
        return self._functions.result(value.op.get_attr("f").name, fed, value.value_index)


class _Functions:
    """The functions of a graph, each with those of its arguments that the caller's feeds can change."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._bodies: dict[tuple[str, tuple[bool, ...]], _FunctionBody] = {}

    @cached_property
    def _library(self) -> dict[str, Any]:
        return {function.signature.name: function for function in self._graph.as_graph_def().library.function}

    def result(self, name: str, fed: Sequence[bool], index: int) -> tuple[_Body, Any] | None:
        """Return a function's body, and which of its values is the result of that number."""
        function = self._library.get(name)
        if function is None or index >= len(function.signature.output_arg):
            return None
        key = name, tuple(fed)
        if key not in self._bodies:
            self._bodies[key] = _FunctionBody(self, function, fed)
        return self._bodies[key], function.ret[function.signature.output_arg[index].name]


class _FunctionBody:
    """The operations of a function, whose values are ``argument`` or ``operation:output:index``."""

    def __init__(self, functions: _Functions, function: Any, fed: Sequence[bool]) -> None:
        self._functions = functions
        self._nodes = {node.name: node for node in function.node_def}
        arguments = zip(function.signature.input_arg, fed, strict=False)
        self._fed = {argument.name for argument, is_fed in arguments if is_fed}

    def operation(self, value: str) -> tuple[str, list[Any], int] | None:
        node = self._nodes.get(producer(value))
        if node is None:
            return None
        _, output, index = value.split(":")
        # The index counts within an output of this name.
        return node.op, data_inputs(node), int(output in _LATER_OUTPUTS) or int(index)

    def depends_on_feeds(self, value: str) -> bool:
        return producer(value) in self._dependents

    @cached_property
    def _dependents(self) -> set[str]:
        """The arguments that feeds can change, and the operations that wait for these."""
        return descendants(self._nodes, self._fed)

    def callee(self, value: str) -> tuple[_Body, Any] | None:
        node = self._nodes[producer(value)]
        fed = [self.depends_on_feeds(edge) for edge in data_inputs(node)]
        return self._functions.result(node.attr["f"].func.name, fed, output_index(value))


_Body = _GraphBody | _FunctionBody
