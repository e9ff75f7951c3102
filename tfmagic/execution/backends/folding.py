"""Variables of a graph model made constants, where that makes its calls quicker.

TensorFlow's optimizer computes ahead what depends on constants alone, merges a batch
normalisation into the convolution before it, and needs no operations that read.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.execution.backends.tflite import lite
from tfmagic.execution.room.variables import bytes_of
from tfmagic.execution.signature.inference import PLACEHOLDERS
from tfmagic.graphdef.freeze_variables import Constants
from tfmagic.graphdef.prune import keep_only, one_node_a_variable, variable_nodes
from tfmagic.runtime.calls.prepared_call import CALLER, FOLDED, LITE, UNFUSED
from tfmagic.runtime.graph.additions import adding_to
from tfmagic.runtime.graph.dataflow import constants_of, operations_behind
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.variables_io import OURS, checksums, values_of
from tfmagic.runtime.tensorflow.private import native_callable, registered_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.runtime.calls.prepared_call import Executor, Folded, OpenedGraph

MOST_BYTES = 4_000_000
"""So many bytes of a model's variables are made constants at most, over all its signatures: each clones them."""

# A graph of so many operations is prepared a second time with nothing fused.
_FEW = 300
_READS = {
    *("VarHandleOp", "ReadVariableOp", "VariableV2", "Variable", "VariableShape", "ResourceGather", "ResourceGatherNd"),
    *("StatefulPartitionedCall", "PartitionedCall", "If", "While", "Case"),
}
_LOOPS = {"Enter", "Switch", "If", "While", "Case", "StatelessIf", "StatelessWhile", "StatelessCase"}
_numbers = itertools.count()
_OFF = 2
"""Of ``RewriterConfig.Toggle``."""


@dataclass
class Whole:
    """A graph of constants alone, with a native session of its own."""

    native: NativeSession
    call: Callable[..., list[Any]]
    weights_bytes: int

    def close(self) -> None:
        """Close the session."""
        self.native.close()


@dataclass
class Part:
    """A copy of operations beside the others in the model's graph, with some of the variables constants."""

    call: Callable[..., list[Any]]
    weights_bytes: int

    def close(self) -> None:
        """Do nothing: it goes with the graph."""


class Folding:
    """Makes variables of one model constants.

    Parameters
    ----------
    backend
        How the model runs.
    """

    def __init__(self, backend: GraphBackend) -> None:
        self._backend = backend
        self._parts: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[dict[str, int], list[str]]] = {}

    @property
    def is_light(self) -> bool:
        """Whether the graph's own constants are few, so that it can be prepared more than once."""
        return self._backend.weights().constants_bytes <= MOST_BYTES

    def values_stand(self) -> bool:
        """Return whether nothing that was run can have changed a variable."""
        return not self._backend.was_written_to()

    def constants_bytes(self, fetches: Sequence[str]) -> int:
        """Return the size of the constants that a run of these fetches has."""
        return constants_of(operations_behind(self._backend.graph, fetches))

    def fold(
        self, opened: OpenedGraph, feeds: Sequence[str], fetches: Sequence[str], *, executor: Executor
    ) -> dict[str, Folded]:
        """Return the ways to run the call with constants; none where that cannot be.

        Where the variables are too many, the smallest of them are taken.

        Parameters
        ----------
        opened, feeds, fetches
            Which call.
        executor
            Whose thread is to run it.
        """
        definition = self._foldable(feeds, fetches)
        if definition is None:
            return {}
        names = list(variable_nodes(definition))
        sizes = self._sizes(names)
        left = MOST_BYTES - self._backend.folded_bytes
        is_whole = len(sizes) == len(names) and sum(sizes.values()) <= left
        if names and not sizes:
            return {}
        call = _Call(opened, definition, tuple(feeds), tuple(fetches), executor)
        if not names:
            return self._lite(call)
        try:
            return self._whole(call, sizes) if is_whole else {FOLDED: self._part(call, _smallest(sizes, left))}
        except (SaveError, ValueError, RuntimeError, tf.errors.OpError):
            # Something that needs the variable itself: the call stays as it was.
            return {}

    def _foldable(self, feeds: Sequence[str], fetches: Sequence[str]) -> Any:
        """Return the operations of a call that depends on nothing but inputs and values of variables, else None."""
        fed = [self._backend.graph.get_tensor_by_name(name) for name in feeds]
        # What is fed in the middle of the graph would be computed with it.
        if not self.is_light or not self.values_stand() or any(one.op.type not in PLACEHOLDERS for one in fed):
            return None
        definition = self._reached(feeds, fetches)
        bodies = _bodies(definition)
        return definition if _only_reads(bodies, {one.signature.name for one in definition.library.function}) else None

    def _reached(self, feeds: Sequence[str], fetches: Sequence[str]) -> Any:
        definition = self._backend.graph.as_graph_def()
        one_node_a_variable(definition)
        keep_only(definition, [*feeds, *fetches])
        return definition

    def _sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Return the sizes in bytes of those variables that have one."""
        ops = [self._backend.graph.get_operation_by_name(name) for name in names]
        found = {op.name: bytes_of(op.get_attr("shape"), op.get_attr("dtype")) for op in ops}
        return {name: size for name, size in found.items() if size is not None}

    def _whole(self, call: _Call, sizes: dict[str, int]) -> dict[str, Folded]:
        constants = Constants(self._backend.room.label, call.definition)
        constants.make_room()
        constants.put(values_of(self._backend.graph).read(call.opened.native, sizes))
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(call.definition, name="")
        bodies, config = _bodies(call.definition), KernelSession().config
        if call.executor == "caller" and not any(node.op in _LOOPS for nodes in bodies for node in nodes):
            config.experimental.executor_type = "SINGLE_THREADED_EXECUTOR"
        made = {FOLDED: self._hosted(call, graph, config, sizes)}
        if sum(map(len, bodies)) <= _FEW:
            # A matrix product fused with what comes after it takes 4 µs more to begin, which pays for large ones.
            config.graph_options.rewrite_options.remapping = _OFF
            made[UNFUSED] = self._hosted(call, graph, config, sizes)
        return made | self._lite(call)

    def _lite(self, call: _Call) -> dict[str, Folded]:
        # It runs on the CPU, in the caller's thread, and cannot be stopped.
        is_meant = call.executor == CALLER and call.opened.executor is None
        if not is_meant or tf.config.list_physical_devices("GPU"):
            return {}
        usual = call.prepared(call.opened.native, call.fetches)
        found = lite(call.definition, call.feeds, call.fetches, usual)
        return {} if found is None else {LITE: found}

    def _hosted(self, call: _Call, graph: Any, config: Any, sizes: dict[str, int]) -> Folded:
        native = NativeSession(graph=graph, config=config)
        return Whole(native, call.prepared(native, call.fetches), sum(sizes.values()))

    def _part(self, call: _Call, sizes: dict[str, int]) -> Folded:
        values = list(values_of(self._backend.graph).read(call.opened.native, sizes))
        numbers, key = checksums(values), (call.feeds, call.fetches)
        # What an earlier opening left in the graph is there for good, and serves again.
        if key not in self._parts or self._parts[key][0] != numbers:
            self._parts[key] = numbers, self._copied(call, values)
        return Part(call.prepared(call.opened.native, self._parts[key][1]), sum(sizes.values()))

    def _copied(self, call: _Call, values: Sequence[tuple[str, np.ndarray]]) -> list[str]:
        """Return the fetches of a copy in which these variables are constants."""
        graph, scope, definition = self._backend.graph, f"{OURS}folded_{next(_numbers)}", call.definition
        folded = {name for name, _ in values}
        constants = Constants(self._backend.room.label, definition, only=folded, suffix=scope)
        constants.make_room()
        constants.put(values)
        outside = {*(name.split(":")[0] for name in call.feeds), *(set(variable_nodes(definition)) - folded)}
        for index in range(len(definition.node) - 1, -1, -1):
            if definition.node[index].name in outside:
                del definition.node[index]
        places = {f"{name}:0": graph.get_tensor_by_name(f"{name}:0") for name in outside}
        with adding_to(graph):
            found = tf.import_graph_def(definition, places, list(call.fetches), name=scope)
        return [tensor.name for tensor in found]


@dataclass
class _Call:
    """What is to be folded."""

    opened: OpenedGraph
    definition: Any
    feeds: tuple[str, ...]
    fetches: tuple[str, ...]
    executor: Executor

    def prepared(self, native: NativeSession, fetches: Sequence[str]) -> Callable[..., list[Any]]:
        return native_callable(native, self.feeds, fetches, in_this_thread=self.executor == "caller")


def _bodies(definition: Any) -> list[Any]:
    """Return the nodes of a graph, and those of each of its functions."""
    return [definition.node, *(function.node_def for function in definition.library.function)]


def _only_reads(bodies: Sequence[Iterable[Any]], functions: set[str]) -> bool:
    """Return whether operations depend on nothing but their inputs and the values of variables."""
    for depth, nodes in enumerate(bodies):
        for node in nodes:
            if node.attr["_XlaMustCompile"].b if "_XlaMustCompile" in node.attr else False:
                return False
            if node.op in functions or node.op in _READS - ({"VarHandleOp"} if depth else set()):
                continue
            known = registered_operation(node.op)
            if known is None or known.is_stateful:
                return False
    return True


def _smallest(sizes: dict[str, int], most_bytes: int) -> dict[str, int]:
    """Return the smallest, as many of them as have room."""
    chosen: dict[str, int] = {}
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        most_bytes -= size
        if most_bytes < 0:
            break
        chosen[name] = size
    return chosen
