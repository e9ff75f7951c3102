"""A graph model's calls compiled with XLA: its operations become one piece of machine code for each shape of input."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.graphdef.prune import keep_only, merge_duplicate_variables, variable_nodes
from tfmagic.runtime.graph.additions import adding_to
from tfmagic.runtime.state.variables_io import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend

_UNSUPPORTED = re.compile(
    r"unsupported operations.*?: (?P<op>\w+) \(|No registered '(?P<kernel>\w+)' OpKernel", re.DOTALL
)

# Whether a loop or a branch is taken apart into operations that pass tensors on, or do not.
_IS_LOWERED = "_lower_using_switch_merge"


class Compiled:
    """Finds the compiled tensors that stand for others; each set of feeds and fetches is compiled by itself.

    Parameters
    ----------
    backend
        How the model runs.
    """

    def __init__(self, backend: GraphBackend) -> None:
        self._backend = backend
        self._made: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}
        self._making = threading.Lock()
        self._known: set[frozenset[tuple[str, tuple[int, ...]]]] = set()

    def is_new(self, feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> bool:
        """Return whether inputs of these shapes have not come yet: XLA compiles for each."""
        return _shapes(feeds, arrays) not in self._known

    def note(self, feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> None:
        """Take note that a run with inputs of these shapes has ended."""
        self._known.add(_shapes(feeds, arrays))

    def fetches(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the tensors to fetch for these.

        Raises
        ------
        SourceError
            When the graph has what XLA cannot take.
        """
        made = self._made.get((feeds, fetches))
        if made is None:
            with self._making:
                made = self._made.get((feeds, fetches)) or self._make(feeds, fetches)
                self._made[feeds, fetches] = made
        return made

    def _make(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        graph = self._backend.graph
        definition = graph.as_graph_def()
        merge_duplicate_variables(definition)
        keep_only(definition, fetches)
        kept = {node.name: node.op for node in definition.node}
        variables = variable_nodes(definition)
        reference = next((name for name in variables if kept[name] != "VarHandleOp"), None)
        if reference is not None:
            msg = (
                f"{self._backend.room.label} cannot be compiled: "
                f"{reference!r} is one of TF1's reference variables, which "
                "XLA does not know: add it without --compile"
            )
            raise SourceError(msg)
        _keep_control_flow(definition)
        outside = [*(name for name in feeds if name.split(":")[0] in kept), *(f"{name}:0" for name in variables)]
        gone = {name.split(":")[0] for name in outside}
        for index in range(len(definition.node) - 1, -1, -1):
            if definition.node[index].name in gone:
                del definition.node[index]

        def body(*given: Any) -> list[Any]:
            places = dict(zip(outside, given, strict=True))
            found: list[Any] = tf.import_graph_def(definition, places, list(fetches), name="")
            return found

        with adding_to(graph), graph.name_scope(f"{OURS}compiled/"):
            compiled = tf.function(body, jit_compile=True, autograph=False)
            results = compiled(*(graph.get_tensor_by_name(name) for name in outside))
            return tuple(tf.identity(result).name for result in results)


def _keep_control_flow(definition: Any) -> None:
    """Have loops and branches stay operations with bodies: of what TensorFlow else makes of them XLA knows nothing."""
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    lowered = [node for nodes in bodies for node in nodes if _IS_LOWERED in node.attr]
    if not lowered:
        return
    for node in lowered:
        del node.attr[_IS_LOWERED]
    # Under their own names the graph has them as they were.
    names = {one.signature.name: f"{one.signature.name}_compiled" for one in definition.library.function}
    for function in definition.library.function:
        function.signature.name = names[function.signature.name]
    for gradient in definition.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in (node for nodes in bodies for node in nodes):
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            for one in (value.func, *value.list.func) if value.WhichOneof("value") in {"func", "list"} else ():
                if one.name in names:
                    one.name = names[one.name]


def _shapes(feeds: Iterable[str], arrays: Iterable[np.ndarray]) -> frozenset[tuple[str, tuple[int, ...]]]:
    return frozenset((feed, array.shape) for feed, array in zip(feeds, arrays, strict=True))


def not_compiled(model: str, error: Exception) -> SourceError:
    """Return what to say where XLA has refused a model.

    Parameters
    ----------
    model
        The model's name.
    error
        What TensorFlow has raised.
    """
    found = _UNSUPPORTED.search(str(error))
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    operation = None if found is None else found["op"] or found["kernel"]
    # What it calls so is an input.
    reason = "XLA takes no text" if operation == "_Arg" else f"XLA has no {operation}" if operation else lines[0]
    return SourceError(f"{model} cannot be compiled ({reason}): add it without --compile")
