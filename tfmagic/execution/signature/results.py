"""Which of a graph's ends are its results: loops, branches and input pipelines leave over others.

An end is a tensor that nothing consumes. A loop has one for each value that it carries, its counter included, though
the model may use only one of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tfmagic.graphdef.op_types import BRANCHES, LOOPS, PLACEHOLDERS, VARIABLES
from tfmagic.graphdef.walk import data_inputs, producer
from tfmagic.runtime.tensorflow.private import library_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

# For TensorBoard: they consume outputs, and are none.
_SUMMARIES = {
    *("AudioSummaryV2", "HistogramSummary", "ImageSummary", "MergeSummary", "ScalarSummary"),
    *("TensorSummary", "TensorSummaryV2"),
}

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

_EXITS, _MERGES, _SWITCHES = {"Exit", "RefExit"}, {"Merge", "RefMerge"}, {"Switch", "RefSwitch"}
_ENTERS, _NEXTS = {"Enter", "RefEnter"}, {"NextIteration", "RefNextIteration"}
_CALLS = BRANCHES | LOOPS
# By type, the input with the rows that a loop has collected.
_STACKS = {
    **dict.fromkeys(("TensorListStack", "TensorListConcat", "TensorListConcatV2"), 0),
    **dict.fromkeys(("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorArrayGather"), 2),
    **dict.fromkeys(("TensorArrayConcatV3", "TensorArrayConcatV2", "TensorArrayConcat"), 1),
}
_LENGTHS = {"TensorArraySizeV3", "TensorArraySizeV2", "TensorArraySize", "TensorListLength"}
_AUTOMATIC_IDENTITY = re.compile(r"(?P<scope>.+)/Identity(_\d+)?$")
_NUMBERED = re.compile(r"/_\d+$")


def results_of(graph: Any, bound: Collection[str], inputs: Iterable[Any], hidden: tuple[str, ...]) -> list[Any]:
    """Return the tensors that are a graph's results.

    `bound` names tensors that a person gave a name, `inputs` are fed, and names that begin as in `hidden` do not count.
    """
    operations = graph.get_operations()
    inside = _inside_control_flow(operations)
    used = {_group(op) for op in operations for tensor in op.outputs if _is_used(tensor)}
    ends = [
        tensor
        for op in operations
        if op.type not in _NO_OUTPUT and not op.name.startswith(hidden) and op.name not in inside
        for tensor in op.outputs
        if _may_be_result(op, tensor)
        # Unused results of an operation (the indices of a top-k) are no outputs where others are used.
        if tensor.name in bound or _group(op) not in used
    ]
    fed = list(inputs)
    for is_better in (
        _reached_from(fed, operations),
        _more_than_constants(operations),
        _by_value(graph, operations, fed, bound),
    ):
        # Whatever is left over counts where there is nothing better.
        ends = [tensor for tensor in ends if is_better(tensor)] or ends
    return [tensor for tensor in ends if tensor.name in bound] or ends


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


def _is_used(tensor: Any) -> bool:
    """Return whether anything consumes a value but what a loop or branch adds to each of its results."""
    return any(
        not _only_looks(op)
        and op.type not in _LENGTHS
        and (_group(op) == op.name or any(_is_used(output) for output in op.outputs))
        for op in tensor.consumers()
    )


def _group(op: Any) -> str:
    """Return what tells the results of one loop or branch from those of others; other operations are one each."""
    if op.type == "Identity":
        named = _AUTOMATIC_IDENTITY.match(op.name)
        source = op.inputs[0].op
        if named is not None and source.type in _CALLS and source.name == named["scope"]:
            return str(source.name)
        lowered = source.type in _EXITS | _MERGES and named is not None
        return _group(source) if named and lowered and source.name.startswith(f"{named['scope']}/") else str(op.name)
    if op.type in _EXITS and op.inputs[0].op.type in _SWITCHES:
        return f"the loop of {op.inputs[0].op.inputs[1].name}"
    if op.type in _MERGES and not _of_loop(op):
        return f"the branch of {_NUMBERED.sub('', op.name).rpartition('/')[0]}"
    if op.type in _STACKS:
        # The rows that a loop has collected: its list of tensors, or the flow of its array.
        rows = op.inputs[_STACKS[op.type]].op
        return _group(rows) if rows.type in {"Identity", *_EXITS, *LOOPS} else str(op.name)
    return str(op.name)


def _of_loop(merge: Any) -> bool:
    return any(tensor.op.type in _ENTERS | _NEXTS for tensor in merge.inputs)


def _inside_control_flow(operations: list[Any]) -> set[str]:
    """Return the operations in TF1's loops and branches, whose values nobody can fetch."""
    if not any(op.type in _SWITCHES | _ENTERS for op in operations):
        return set()
    depths: dict[str, int] = {}
    inside: set[str] = set()
    for op in operations:
        before = [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        depth = max((depths.get(other.name, 0) for other in before if other.type not in _NEXTS), default=0)
        if op.type in _EXITS or (op.type in _MERGES and not _of_loop(op)):
            depth -= 1
        elif op.type in _ENTERS or (op.type in _SWITCHES and op.inputs[1].op.type != "LoopCond"):
            depth += 1
        depths[op.name] = max(depth, 0)
        if depth > 0 or _is_pivot(op):
            inside.add(op.name)
    return inside


def _is_pivot(op: Any) -> bool:
    """Return whether an operation only tells which branch has run."""
    if op.type in _MERGES:
        return all(_is_pivot(tensor.op) for tensor in op.inputs)
    if op.type != "Identity":
        return False
    if op.name.endswith("/pred_id"):
        return any(other.type in _SWITCHES and _chooses_itself(other) for other in op.inputs[0].consumers())
    return op.inputs[0].op.type in _SWITCHES and _chooses_itself(op.inputs[0].op)


def _chooses_itself(switch: Any) -> bool:
    value, predicate = switch.inputs
    return bool(value.name == predicate.name)


def _reached_from(inputs: list[Any], operations: list[Any]) -> Callable[[Any], bool]:
    """Return whether a tensor depends on any of the inputs."""
    # A constant in a branch waits for the branch alone.
    waits_for: dict[str, list[Any]] = defaultdict(list)
    for op in operations:
        for before in op.control_inputs:
            if _is_pivot(before):
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


def _by_value(graph: Any, operations: list[Any], inputs: list[Any], bound: Collection[str]) -> Callable[[Any], bool]:
    """Return whether a tensor is no count of a loop's rounds: only the number of rounds depends on the inputs."""
    loops = [op for op in operations if op.type in LOOPS]
    if not inputs or not (loops or any(op.type in _EXITS for op in operations)):
        return lambda _: True
    library = {function.signature.name: function for function in library_of(graph).function} if loops else {}
    bodies = {op.name: _Body(library.get(op.get_attr("body").name)) for op in loops}
    reached: set[str] = set()
    waiting = list(inputs)
    while waiting:
        tensor = waiting.pop()
        if tensor.name not in reached:
            reached.add(tensor.name)
            for op in tensor.consumers():
                if op.name in bodies:
                    positions = {index for index, given in enumerate(op.inputs) if given.name == tensor.name}
                    waiting.extend(op.outputs[index] for index in bodies[op.name].results_of(positions))
                elif op.type not in _SWITCHES or op.inputs[0].name == tensor.name:
                    waiting.extend(op.outputs)

    def is_result(tensor: Any) -> bool:
        of_loop = tensor.op.type in _EXITS | LOOPS or _group(tensor.op) != tensor.op.name
        return not of_loop or tensor.name in bound or tensor.name in reached

    return is_result


class _Body:
    """The body of a loop: which of its arguments the results of a round depend on."""

    def __init__(self, function: Any) -> None:
        arguments = [argument.name for argument in function.signature.input_arg]
        returned = [function.ret[result.name] for result in function.signature.output_arg]
        self._nodes = {node.name: node for node in function.node_def}
        self._sources = [self._arguments_behind(edge, arguments) for edge in returned]
        self._changed = [not self._passes_on(edge, name) for edge, name in zip(returned, arguments, strict=True)]

    def results_of(self, positions: set[int]) -> list[int]:
        """Return the results that depend on the arguments at these positions, without those that stay as they are."""
        ends_up = set(positions)
        while more := {index for index, given in enumerate(self._sources) if given & ends_up} - ends_up:
            ends_up |= more
        return [index for index in sorted(ends_up) if self._changed[index]]

    def _arguments_behind(self, edge: str, arguments: list[str]) -> set[int]:
        places = {name: index for index, name in enumerate(arguments)}
        behind = _names_behind([edge], self._nodes)
        return {places[name] for name in behind if name in places}

    def _passes_on(self, edge: str, argument: str) -> bool:
        name = producer(edge)
        while name in self._nodes and self._nodes[name].op == "Identity":
            name = producer(self._nodes[name].input[0])
        return name == argument


def _names_behind(edges: Iterable[str], nodes: Mapping[str, Any]) -> set[str]:
    """Return the nodes and arguments that carry values to these edges."""
    behind: set[str] = set()
    waiting = [producer(edge) for edge in edges]
    while waiting:
        name = waiting.pop()
        if name not in behind:
            behind.add(name)
            waiting.extend(producer(edge) for edge in (data_inputs(nodes[name]) if name in nodes else ()))
    return behind
