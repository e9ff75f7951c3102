"""Variables of a graph model turned into constants, where that makes its calls quicker.

TensorFlow's optimizer precomputes whatever depends on constants only, merges a batch
normalisation into the convolution before it, and needs no operations that read.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.execution.backends.tflite import lite_call
from tfmagic.execution.room.variables import bytes_of
from tfmagic.graphdef.freeze_variables import VariableFreezer
from tfmagic.graphdef.op_types import BRANCHES, FUNCTION_CALLS, LOOPS, PLACEHOLDERS, READS_VARIABLES, VARIABLES
from tfmagic.graphdef.prune import keep_only, merge_duplicate_variables, variable_nodes
from tfmagic.graphdef.walk import bodies, producer, remove_nodes
from tfmagic.runtime.calls.prepared_call import CALLER, FOLDED, LITE, MOST_CONSTANTS_BYTES, FoldedCall
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.graph.operations import adding_to, constants_of
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.variables_io import OURS, checksums, values_of
from tfmagic.runtime.tensorflow.private import native_callable, registered_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from tfmagic.runtime.calls.prepared_call import Executor, OpenedGraph

MOST_BYTES = 4_000_000
"""The most bytes of variables that become constants in all calls of a model: each call copies them."""

# Operations that TensorFlow calls stateful, and that only read.
_READS = VARIABLES | READS_VARIABLES | FUNCTION_CALLS
_CONTROL_FLOW = {"Enter", "Switch"} | BRANCHES | LOOPS
_numbers = itertools.count()


class Folding:
    """Turns variables of one model's graph into constants."""

    def __init__(self, graph: Any, label: str) -> None:
        self._graph = graph
        self._label = label
        # By feeds and fetches: checksums of the folded values, and the tensors to fetch instead.
        self._copies: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[dict[str, int], list[str]]] = {}

    def fold(
        self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str], *, executor: Executor
    ) -> dict[str, FoldedCall]:
        """Return the ways to run a call with constants, if any. Of too many variables, the smallest are folded."""
        definition = self._foldable(opened, feeds, fetches)
        if definition is None:
            return {}
        names = variable_nodes(definition)
        call = _Call(opened, definition, tuple(feeds), tuple(fetches), executor)
        if not names:
            return self._by_lite(call)
        sizes = self._sizes(names)
        free_bytes = MOST_BYTES - sum(prepared.folded_bytes for prepared in opened.calls)
        all_fit = len(sizes) == len(names) and sum(sizes.values()) <= free_bytes
        if not sizes:
            return {}
        try:
            if all_fit:
                return self._fold_all(call, sizes)
            return {FOLDED: self._fold_some(call, _smallest(sizes, free_bytes))}
        except (SaveError, ValueError, RuntimeError, tf.errors.OpError):
            # An operation needs the variable, and not its value.
            return {}

    def _foldable(self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str]) -> Any:
        """Return the operations of a call that depends on its feeds and the values of variables alone, else None."""
        fed = [self._graph.get_tensor_by_name(name) for name in feeds]
        # A tensor that is fed in the middle of the graph would be computed, too.
        is_fed_inside = any(tensor.op.type not in PLACEHOLDERS for tensor in fed)
        if is_fed_inside or constants_of(self._graph.get_operations()) > MOST_CONSTANTS_BYTES:
            return None
        if opened.history.may_have_written(self._graph):
            return None
        definition = self._graph.as_graph_def()
        merge_duplicate_variables(definition)
        keep_only(definition, [*feeds, *fetches])
        return definition if _only_reads(definition) else None

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the sizes in bytes of the variables that have a fixed one."""
        ops = [self._graph.get_operation_by_name(name) for name in names]
        sizes = {op.name: bytes_of(op.get_attr("shape"), op.get_attr("dtype")) for op in ops}
        return {name: size for name, size in sizes.items() if size is not None}

    def _fold_all(self, call: _Call, sizes: dict[str, int]) -> dict[str, FoldedCall]:
        freezer = VariableFreezer(self._label, call.definition)
        freezer.convert()
        freezer.insert(values_of(self._graph).read(call.opened.native, sizes))
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(call.definition, name="")
        config = KernelSession().config
        has_control_flow = any(node.op in _CONTROL_FLOW for nodes in bodies(call.definition) for node in nodes)
        if call.executor == CALLER and not has_control_flow:
            config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        native = NativeSession(graph=graph, config=config)
        folded = FoldedCall(call.prepared(native, call.fetches), sum(sizes.values()), native.close)
        return {FOLDED: folded} | self._by_lite(call)

    def _by_lite(self, call: _Call) -> dict[str, FoldedCall]:
        # LiteRT runs on the CPU, in the caller's thread, and cannot be stopped.
        may_use = call.executor == CALLER and call.opened.preparation().executor is None
        if not may_use or tf.config.list_physical_devices("GPU"):
            return {}
        usual = call.prepared(call.opened.native, call.fetches)
        lite = lite_call(call.definition, call.feeds, call.fetches, usual)
        return {} if lite is None else {LITE: FoldedCall(lite.call, lite.weights_bytes, lite.close)}

    def _fold_some(self, call: _Call, sizes: dict[str, int]) -> FoldedCall:
        values = list(values_of(self._graph).read(call.opened.native, sizes))
        present, key = checksums(values), (call.feeds, call.fetches)
        # Operations cannot leave a graph: those that an earlier opening added are used again.
        if key not in self._copies or self._copies[key][0] != present:
            self._copies[key] = present, self._copy(call, values)
        prepared = call.prepared(call.opened.native, self._copies[key][1])
        # Nothing to close: the copied operations stay in the graph.
        return FoldedCall(prepared, sum(sizes.values()), close=lambda: None)

    def _copy(self, call: _Call, values: Sequence[tuple[str, np.ndarray]]) -> list[str]:
        """Copy the call's operations with these variables as constants, and return the names of the new fetches."""
        scope, definition = f"{OURS}folded_{next(_numbers)}", call.definition
        folded = {name for name, _ in values}
        freezer = VariableFreezer(self._label, definition, only=folded, suffix=scope)
        freezer.convert()
        freezer.insert(values)
        shared = {*map(producer, call.feeds), *(set(variable_nodes(definition)) - folded)}
        remove_nodes(definition.node, lambda node: node.name in shared)
        inputs = {f"{name}:0": self._graph.get_tensor_by_name(f"{name}:0") for name in shared}
        with adding_to(self._graph):
            tensors = tf.import_graph_def(definition, inputs, list(call.fetches), name=scope)
        return [tensor.name for tensor in tensors]


@dataclass
class _Call:
    """A call to fold, with its operations."""

    opened: OpenedGraph
    definition: Any
    feeds: tuple[str, ...]
    fetches: tuple[str, ...]
    executor: Executor

    def prepared(self, native: NativeSession, fetches: Sequence[str]) -> Callable[..., list[Any]]:
        return native_callable(native, self.feeds, fetches, in_this_thread=self.executor == CALLER)


def _only_reads(definition: Any) -> bool:
    """Return whether all operations depend on nothing but their inputs and the values of variables."""
    functions = {function.signature.name for function in definition.library.function}
    for index, nodes in enumerate(bodies(definition)):
        # A variable in a function is not one of the graph's.
        may_have = _READS - {"VarHandleOp"} if index else _READS
        for node in nodes:
            if "_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b:
                return False
            if node.op not in functions and node.op not in may_have:
                registered = registered_operation(node.op)
                if registered is None or registered.is_stateful:
                    return False
    return True


def _smallest(sizes: dict[str, int], most_bytes: int) -> dict[str, int]:
    """Return the smallest of these, up to so many bytes in all."""
    chosen: dict[str, int] = {}
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        most_bytes -= size
        if most_bytes < 0:
            break
        chosen[name] = size
    return chosen
