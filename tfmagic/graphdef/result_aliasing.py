"""Which results of a run may be memory that is in use elsewhere: a variable's, a constant's, the caller's own.

A native call hands out a tensor's memory as it is. Where an operation passes its input
on (``Identity``, a reshape, what the optimizer makes of ``x * 1``), that is not the
result's alone, and who changes the array changes the model's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Their first output is made anew, or in the place of an input that nobody else has.
COMPUTES = frozenset(
    {
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"),
        *("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"),
        *("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "LRN", "ResizeBilinear"),
        *("Softmax", "LogSoftmax", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Sigmoid", "Tanh"),
        *("Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Erf", "Sin", "Cos"),
        *("ArgMax", "ArgMin", "TopKV2", "Gather", "GatherV2", "GatherNd", "ResourceGather", "OneHot"),
        *("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"),
    }
)
# Where one operand turns out to be zeros, or ones, the optimizer passes the other on.
_COMBINES = frozenset({"Add", "AddV2", "BiasAdd", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"})
_PASSES = frozenset(
    {
        *("Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "EnsureShape"),
        *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    }
)
# Of the operations above.
_LATER_OUTPUTS = frozenset({"batch_mean", "batch_variance", "indices", *(f"reserve_space_{n}" for n in (1, 2, 3))})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# A result that is further from what makes it is copied, which is never wrong.
_DEPTH = 12


def shared_results(graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> tuple[int, ...]:
    """Return which of the fetched tensors are not known to have memory of their own in every run.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    feeds, fetches
        Tensor names.

    Returns
    -------
    tuple of int
        Their places in `fetches`.
    """
    body = _Operations(graph, frozenset(feeds))
    ends = [graph.get_tensor_by_name(name) for name in fetches]
    return tuple(index for index, end in enumerate(ends) if not _is_own(body, end, _DEPTH))


class _Body(Protocol):
    """The operations of a graph or a function, which lead to an end: a tensor, or what a function calls one."""

    def operation(self, end: Any) -> tuple[str, list[Any], int] | None:
        """Return the type, the inputs, and which output `end` is; None for what comes from outside."""

    def is_fed(self, end: Any) -> bool:
        """Return whether it depends on what the caller feeds."""

    def called(self, end: Any) -> tuple[_Body, Any] | None:
        """Return the body of the function that is called, and the end in it that is given back."""


def _is_own(body: _Body, end: Any, depth: int) -> bool:
    # What depends on no input may be computed once, and kept.
    return body.is_fed(end) and _is_made(body, end, depth)


def _is_made(body: _Body, end: Any, depth: int) -> bool:
    found = body.operation(end)
    if found is None or depth == 0:
        return False
    kind, inputs, index = found
    if kind in _CALLS:
        inner = body.called(end)
        return inner is not None and _is_own(*inner, depth - 1)
    if index > 0:
        return False
    if kind in _COMBINES:
        return any(_is_own(body, one, depth - 1) for one in inputs)
    return kind in COMPUTES or (kind in _PASSES and _is_made(body, inputs[0], depth - 1))


class _Operations:
    """A graph's own operations, whose ends are tensors."""

    def __init__(self, graph: Any, fed: frozenset[str]) -> None:
        self._graph = graph
        self._fed = fed

    def operation(self, end: Any) -> tuple[str, list[Any], int] | None:
        # Also in the middle of a graph: its operation does not run then.
        return None if end.name in self._fed else (end.op.type, list(end.op.inputs), end.value_index)

    def is_fed(self, end: Any) -> bool:
        waiting, seen = [end], set()
        while waiting:
            one = waiting.pop()
            if one.name in self._fed:
                return True
            if one.op not in seen:
                seen.add(one.op)
                # The first last, and so first: what comes from the inputs is there mostly.
                waiting.extend(reversed(one.op.inputs))
        return False

    def called(self, end: Any) -> tuple[_Body, Any] | None:
        library = {one.signature.name: one for one in self._graph.as_graph_def().library.function}
        return _called(library, end.op.get_attr("f").name, [self.is_fed(one) for one in end.op.inputs], end.value_index)


class _Function:
    """The operations of a function, whose ends are ``argument`` or ``operation:output:index``."""

    def __init__(self, library: Mapping[str, Any], function: Any, fed: Sequence[bool]) -> None:
        self._library = library
        self._nodes = {node.name: node for node in function.node_def}
        self._fed = {one.name: is_fed for one, is_fed in zip(function.signature.input_arg, fed, strict=False)}

    def operation(self, end: str) -> tuple[str, list[Any], int] | None:
        node = self._nodes.get(end.partition(":")[0])
        if node is None:
            return None
        _, output, index = end.split(":")
        # They count by name: each is the first of its own.
        later = int(output in _LATER_OUTPUTS)
        return node.op, [one for one in node.input if not one.startswith("^")], later or int(index)

    def is_fed(self, end: str) -> bool:
        waiting, seen = [end], set()
        while waiting:
            name = waiting.pop().partition(":")[0]
            if self._fed.get(name, False):
                return True
            if name in self._nodes and name not in seen:
                seen.add(name)
                waiting.extend(one.lstrip("^") for one in reversed(self._nodes[name].input))
        return False

    def called(self, end: str) -> tuple[_Body, Any] | None:
        node = self._nodes[end.partition(":")[0]]
        fed = [self.is_fed(one) for one in node.input if not one.startswith("^")]
        return _called(self._library, node.attr["f"].func.name, fed, int(end.rpartition(":")[2]))


def _called(library: Mapping[str, Any], name: str, fed: Sequence[bool], index: int) -> tuple[_Body, Any] | None:
    function = library.get(name)
    if function is None or index >= len(function.signature.output_arg):
        return None
    given_back = function.ret[function.signature.output_arg[index].name]
    return _Function(library, function, fed), given_back
