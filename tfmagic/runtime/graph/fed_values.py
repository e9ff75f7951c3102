"""Whether a run keeps the memory of fed values, and whether they decide how long it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.graphdef.op_types import ALLOCATES_OUTPUT, FUNCTION_CALLS, LOOPS, READS_VARIABLES, RUNS_PYTHON
from tfmagic.graphdef.output_shapes import LIKE, TELLS_SHAPE, decides_shape
from tfmagic.graphdef.walk import bodies
from tfmagic.runtime.graph.dataflow import SHAPE, VALUE, Dataflow
from tfmagic.runtime.tensorflow.private import registered_operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.graph.dataflow import Operation

# An einsum that changes nothing returns its input.
_ALLOCATES = (ALLOCATES_OUTPUT - {"Einsum"}) | TELLS_SHAPE | LIKE
# Stateful operations, or readers of a state, that keep none of their inputs.
_KEEPS_NOTHING = READS_VARIABLES | {
    *("Assert", "Print", "PrintV2", "VarIsInitializedOp"),
    *("LookupTableFind", "LookupTableFindV2", "LookupTableSizeV2"),
    *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "RandomShuffle"),
    *("RandomGamma", "RandomPoissonV2", "Multinomial", "ParameterizedTruncatedNormal"),
    *(f"TensorArray{verb}{version}" for verb in ("Read", "Gather", "Size") for version in ("", "V2", "V3")),
}
# They ask a dataset for its elements until it has no more.
_ITERATES = frozenset(
    {
        *("ReduceDataset", "DatasetToSingleElement", "DatasetToTFRecord", "SaveDataset", "SaveDatasetV2"),
        *("DatasetCardinality", "DistributedSave", "GetElementAtIndex", "InitializeTableFromDataset"),
    }
)
# No edge of the graph tells what an iterator gives, nor how often it is asked.
_LOOPS_ALWAYS = frozenset({"LoopCond", "MakeIterator", "MultiDeviceIteratorInit"})
_LOOPS = LOOPS | {"For", "LoopCond"}
# They wait for another step, or for a dataset.
_WAITS = re.compile(r"Dequeue|Enqueue|IteratorGetNext|Unstage|^(Ordered)?Map(Peek|Unstage|Stage)|BarrierTake|^_?Recv")
# The first inputs of a For: start, limit and step.
_LIMITS_OF_FOR = 3


def kept_feeds(graph: Any, feeds: Sequence[str], fetches: Sequence[str] | None) -> tuple[int, ...]:
    """Return the places of feeds whose arrays could become the memory of something that outlasts the run."""
    # TensorFlow uses an aligned array without a copy, other than text: a variable to which it is assigned then changes
    # when the caller changes the array.
    flow = Dataflow(graph, fetches)
    kept = flow.holding(_Keeps(), [name for name in feeds if graph.as_graph_element(name).dtype != tf.string])
    return tuple(index for index, name in enumerate(feeds) if name in kept)


def loops_on_values(graph: Any, feeds: Sequence[str], fetches: Sequence[str] | None) -> bool:
    """Return whether the values of these inputs, and not their shapes alone, decide how long a loop runs."""
    return bool(Dataflow(graph, fetches).holding(_DecidesLoop(), feeds))


def has_open_end(graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> bool:
    """Return whether a run may take much longer than one before it with inputs of that size, or wait for another."""
    kinds = {operation.type for operation in graph.get_operations()}
    if kinds & FUNCTION_CALLS:
        kinds |= {node.op for nodes in bodies(graph.as_graph_def()) for node in nodes}
    if kinds & (RUNS_PYTHON | _ITERATES) or any(_WAITS.search(kind) for kind in kinds):
        return True
    return bool(kinds & _LOOPS) and loops_on_values(graph, feeds, fetches)


class _Keeps:
    """An operation may hold on to the memory of the value."""

    through_conditions = at_loop_condition = False

    def at(self, operation: Operation, position: int, dependence: int) -> bool:
        del position, dependence
        if operation.kind in _KEEPS_NOTHING:
            return False
        registered = registered_operation(operation.kind)
        # A Python function can store the array that it gets.
        if registered is None or operation.kind in RUNS_PYTHON:
            return True
        resource = tf.resource.as_datatype_enum
        return bool(registered.is_stateful or any(one.is_ref or one.type == resource for one in registered.input_arg))

    def of_results(self, operation: Operation, position: int, dependence: int) -> int:
        del position
        return 0 if operation.kind in _ALLOCATES else dependence


class _DecidesLoop:
    """The value decides how many rounds a loop runs."""

    through_conditions = at_loop_condition = True

    def at(self, operation: Operation, position: int, dependence: int) -> bool:
        if operation.kind == "For":
            return position < _LIMITS_OF_FOR
        return operation.kind in _LOOPS_ALWAYS or (dependence == SHAPE and operation.kind in _ITERATES)

    def of_results(self, operation: Operation, position: int, dependence: int) -> int:
        if operation.kind in TELLS_SHAPE:
            return VALUE if dependence == SHAPE else 0
        if operation.kind in LIKE:
            return SHAPE if dependence == SHAPE else 0
        return SHAPE if decides_shape(operation.kind, position, operation.inputs) else dependence
