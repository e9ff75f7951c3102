"""Which of a graph's ends, the tensors that nothing consumes, are its results: much else is left over."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tfmagic.execution.signature.control_flow import (
    LENGTHS,
    beside_a_loop,
    carried_by_value,
    group_of,
    inside_control_flow,
    pivots_of,
)
from tfmagic.graphdef.op_types import PLACEHOLDERS, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable

# For TensorBoard: they consume outputs, and are none.
_SUMMARIES = {
    *("AudioSummaryV2", "HistogramSummary", "ImageSummary", "MergeSummary", "ScalarSummary"),
    *("TensorSummary", "TensorSummaryV2"),
}
# Of a figure about the outputs, where others show an output.
_SCALAR_SUMMARIES = {"ScalarSummary", "TensorSummary", "TensorSummaryV2"}

# Operations that nothing consumes and that are no output: variables, and what makes, reads, saves and counts them,
# and the handles, sizes and steps of pipelines, tables, queues and arrays of tensors.
_NO_OUTPUT = {
    *(*PLACEHOLDERS, *VARIABLES, *_SUMMARIES, "Assert", "Const", "NoOp"),
    *("Assign", "AssignAdd", "AssignAddVariableOp", "AssignSub", "AssignSubVariableOp", "AssignVariableOp"),
    *("IsVariableInitialized", "MergeV2Checkpoints", "ReadVariableOp", "RestoreV2", "SaveV2", "ShardedFilename"),
    *("VarIsInitializedOp", "Restore", "RestoreSlice"),
    *("IteratorToStringHandle", "MultiDeviceIteratorToStringHandle", "IteratorGetDevice"),
    *("LookupTableSize", "LookupTableSizeV2", "LookupTableExport", "LookupTableExportV2"),
    *("QueueSize", "QueueSizeV2", "QueueIsClosed", "QueueIsClosedV2"),
    *("ReaderNumRecordsProduced", "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompletedV2"),
    *("Enter", "NextIteration", "Switch", "LoopCond", "RefEnter", "RefNextIteration", "RefSwitch", "ControlTrigger"),
}
_OF_TENSOR_ARRAYS = re.compile(r"TensorArray(Write|Scatter|Split|Unpack|Size|Close|Grad)|Stack(Push|Close)")

# Only their first output is a result: the others are for their gradients.
_FIRST_ONLY = re.compile(r"FusedBatchNorm|(Sparse)?SoftmaxCrossEntropyWithLogits|CTCLoss|(Ref)?Merge$")
_SIZES = {"Shape", "ShapeN", "Rank", "Size"}
_ASKS_FOR_VALUES = {"IsVariableInitialized", "VarIsInitializedOp"}


def results_of(graph: Any, bound: Collection[str], inputs: Iterable[Any], hidden: tuple[str, ...]) -> list[Any]:
    """Return the tensors that are a graph's results.

    `bound` names tensors that a person gave a name, `inputs` are fed, and names that begin as in `hidden` do not count.
    """
    operations = graph.get_operations()
    inside = inside_control_flow(operations)
    used = _used_groups(operations)
    ends = [
        tensor
        for op in operations
        if op.type not in _NO_OUTPUT and not op.name.startswith(hidden) and op.name not in inside
        for tensor in op.outputs
        if _may_be_result(op, tensor)
        # Unused results of an operation (the indices of a top-k) are no outputs where others are used.
        if tensor.name in bound or group_of(op) not in used
    ]
    fed = list(inputs)
    beside = beside_a_loop(operations)
    for is_better in (
        _reached_from(fed, operations),
        _more_than_constants(operations),
        carried_by_value(graph, operations, fed, bound),
        lambda tensor: tensor.name in bound or beside(tensor),
        _waited_for_by_none(operations, bound),
        lambda tensor: tensor.name in bound or not any(op.type in _SCALAR_SUMMARIES for op in tensor.consumers()),
    ):
        # Whatever is left over counts where there is nothing better.
        ends = [tensor for tensor in ends if is_better(tensor)] or ends
    return [tensor for tensor in ends if tensor.name in bound] or ends


def _waited_for_by_none(operations: list[Any], bound: Collection[str]) -> Callable[[Any], bool]:
    """Return whether no value is computed after a tensor alone for the order, as after the check of an assertion."""
    waited_for = {before.name for op in operations if op.outputs for before in op.control_inputs}
    return lambda tensor: tensor.name in bound or tensor.op.name not in waited_for


def _may_be_result(op: Any, tensor: Any) -> bool:
    if _is_consumed(tensor) or tensor.dtype.name in {"resource", "variant"} or _OF_TENSOR_ARRAYS.match(op.type):
        return False
    if tensor.value_index and _FIRST_ONLY.match(op.type):
        return False
    # Nor a reference, which is what an optimiser's step gives.
    return bool(tensor.dtype == tensor.dtype.base_dtype)


def _is_consumed(tensor: Any) -> bool:
    return any(not _only_looks(op) for op in tensor.consumers())


def _only_looks(op: Any) -> bool:
    """Return whether an operation shows a value or its size, and nothing goes on from there."""
    return op.type in _SUMMARIES or (op.type in _SIZES and not any(tensor.consumers() for tensor in op.outputs))


def _used_groups(operations: list[Any]) -> set[str]:
    """Return the groups of which anything consumes a value but what a loop or branch adds to each of its results."""
    used: set[str] = set()
    # Consumers come after what they consume, so they are looked at first.
    for op in reversed(operations):
        used.update(tensor.name for tensor in op.outputs if any(_uses(other, used) for other in tensor.consumers()))
    return {group_of(op) for op in operations if any(tensor.name in used for tensor in op.outputs)}


def _uses(op: Any, used: Container[str]) -> bool:
    if _only_looks(op) or op.type in LENGTHS:
        return False
    return group_of(op) == op.name or any(tensor.name in used for tensor in op.outputs)


def _reached_from(inputs: list[Any], operations: list[Any]) -> Callable[[Any], bool]:
    """Return whether a tensor depends on any of the inputs."""
    # A constant in a branch waits for the branch alone.
    waits_for: dict[str, list[Any]] = defaultdict(list)
    pivots = pivots_of(operations)
    for op in operations:
        for before in op.control_inputs:
            if before.name in pivots:
                waits_for[before.name].append(op)
    reached: set[str] = set()
    waiting = [consumer for tensor in inputs for consumer in tensor.consumers()]
    while waiting:
        op = waiting.pop()
        if op.name not in reached:
            reached.add(op.name)
            waiting.extend(consumer for tensor in op.outputs for consumer in tensor.consumers())
            waiting.extend(waits_for.get(op.name, ()))
    return lambda tensor: tensor.op.name in reached


def _more_than_constants(operations: list[Any]) -> Callable[[Any], bool]:
    """Return whether a tensor is no constant, nor a size, nor tells which variables have values."""
    lesser: set[str] = set()
    asking: set[str] = set()
    stateful: dict[str, bool] = {}
    for op in operations:
        if op.type not in stateful:
            stateful[op.type] = op.type in PLACEHOLDERS or bool(op.op_def.is_stateful)
        before = [tensor.op.name for tensor in op.inputs]
        if op.type in _ASKS_FOR_VALUES or any(name in asking for name in before):
            asking.add(op.name)
        elif not stateful[op.type] and all(name in lesser for name in before):
            lesser.add(op.name)
    return lambda tensor: tensor.op.name not in lesser and tensor.op.name not in asking and tensor.op.type not in _SIZES
