"""A graph model's calls compiled with XLA, to machine code for each shape of input."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.graphdef.op_types import REFERENCE_VARIABLES
from tfmagic.graphdef.prune import keep_only, merge_duplicate_variables, variable_nodes
from tfmagic.graphdef.walk import bodies, functions_in, producer, remove_nodes
from tfmagic.runtime.graph.operations import adding_to
from tfmagic.runtime.state.variables_io import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

_UNSUPPORTED = re.compile(
    r"unsupported operations.*?: (?P<op>\w+) \(|No registered '(?P<kernel>\w+)' OpKernel", re.DOTALL
)

# Marks a loop or branch that TensorFlow replaces by Switch and Merge operations.
_IS_LOWERED = "_lower_using_switch_merge"


class XlaCompiler:
    """Adds compiled copies of a graph's calls to the graph, one for each set of feeds and fetches."""

    def __init__(self, graph: Any, label: str) -> None:
        self._graph = graph
        self._label = label
        self._compiled: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}
        self._compiling = threading.Lock()
        self._shapes: set[frozenset[tuple[str, tuple[int, ...]]]] = set()

    def is_new(self, feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> bool:
        """Return whether no run has had inputs of these shapes, so that XLA would compile."""
        return _shapes(feeds, arrays) not in self._shapes

    def note(self, feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> None:
        """Note a run with inputs of these shapes."""
        self._shapes.add(_shapes(feeds, arrays))

    def fetches(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        """Return the compiled tensors to fetch in place of these; a `SourceError` where XLA cannot compile them."""
        compiled = self._compiled.get((feeds, fetches))
        if compiled is None:
            with self._compiling:
                compiled = self._compiled.get((feeds, fetches)) or self._compile(feeds, fetches)
                self._compiled[feeds, fetches] = compiled
        return compiled

    def _compile(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        definition = self._graph.as_graph_def()
        merge_duplicate_variables(definition)
        keep_only(definition, fetches)
        names = {node.name for node in definition.node}
        variables = variable_nodes(definition)
        reference = next((node.name for node in definition.node if node.op in REFERENCE_VARIABLES), None)
        if reference is not None:
            msg = (
                f"{self._label} cannot be compiled: {reference!r} is one of TF1's reference variables, which "
                "XLA does not know: add it without --compile"
            )
            raise SourceError(msg)
        _keep_control_flow(definition)
        inputs = [*(name for name in feeds if producer(name) in names), *(f"{name}:0" for name in variables)]
        outside = set(map(producer, inputs))
        remove_nodes(definition.node, lambda node: node.name in outside)

        def body(*arguments: Any) -> list[Any]:
            by_name = dict(zip(inputs, arguments, strict=True))
            tensors: list[Any] = tf.import_graph_def(definition, by_name, list(fetches), name="")
            return tensors

        with adding_to(self._graph), self._graph.name_scope(f"{OURS}compiled/"):
            compiled = tf.function(body, jit_compile=True, autograph=False)
            results = compiled(*(self._graph.get_tensor_by_name(name) for name in inputs))
            return tuple(tf.identity(result).name for result in results)


def _keep_control_flow(definition: Any) -> None:
    """Keep loops and branches as operations that call functions: XLA does not know Switch and Merge."""
    nodes = [node for body in bodies(definition) for node in body]
    lowered = [node for node in nodes if _IS_LOWERED in node.attr]
    if not lowered:
        return
    for node in lowered:
        del node.attr[_IS_LOWERED]
    # The graph has unchanged functions of the old names.
    names = {function.signature.name: f"{function.signature.name}_compiled" for function in definition.library.function}
    for function in definition.library.function:
        function.signature.name = names[function.signature.name]
    for gradient in definition.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in nodes:
        node.op = names.get(node.op, node.op)
        for target in functions_in(node.attr):
            target.name = names.get(target.name, target.name)


def _shapes(feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> frozenset[tuple[str, tuple[int, ...]]]:
    return frozenset((feed, array.shape) for feed, array in zip(feeds, arrays, strict=True))


def not_compiled(model: str, error: Exception) -> SourceError:
    """Return the error for a model that XLA could not compile."""
    match = _UNSUPPORTED.search(str(error))
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    operation = None if match is None else match["op"] or match["kernel"]
    # "_Arg" is an input.
    reason = "XLA takes no text" if operation == "_Arg" else f"XLA has no {operation}" if operation else lines[0]
    return SourceError(f"{model} cannot be compiled ({reason}): add it without --compile")
