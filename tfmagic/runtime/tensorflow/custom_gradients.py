"""Let graphs own their custom gradients, so that TensorFlow's registry does not keep dead graphs in memory.

``tf.custom_gradient`` in a graph registers a function permanently, under a unique name
(``_graph_mode_decorator`` in ``tensorflow/python/ops/custom_gradient.py``). That function
holds tensors of its graph, and through them everything that the graph captured: a Keras
model that was compiled and trained once, or that uses ``swish``, keeps its weights and its
optimizer's slots in memory for the life of the process.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from tfmagic.core.modules import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFIX = "CustomGradient-"
_OWNED_BY_GRAPH = "_tfmagic_custom_gradients"


class _WeakGradient:
    """A registered gradient that lives as long as its graph."""

    def __init__(self, name: str, gradient: Callable[..., Any], registry: dict[str, Any]) -> None:
        self._name = name
        self._gradient = weakref.ref(gradient, lambda _: registry.pop(name, None))

    def __call__(self, *values: Any) -> Any:
        gradient = self._gradient()
        if gradient is None:
            msg = f"the graph of {self._name} is gone, and its gradient with it"
            raise LookupError(msg)
        return gradient(*values)


def tie_gradients_to_graphs() -> int:
    """Move gradients that only the registry holds to their graphs; return how many were moved."""
    if imported("tensorflow") is None:
        return 0
    from tfmagic.runtime.tensorflow.private import registered_gradients

    registry, count = registered_gradients(), 0
    for name, entry in list(registry.items()):
        gradient = entry["type"]
        if not name.startswith(_PREFIX) or isinstance(gradient, _WeakGradient):
            continue
        graph = next(_captured_graphs(gradient), None)
        if graph is None:
            continue
        setattr(graph, _OWNED_BY_GRAPH, [*getattr(graph, _OWNED_BY_GRAPH, ()), gradient])
        entry["type"] = _WeakGradient(name, gradient, registry)
        count += 1
    return count


def _captured_graphs(function: Any, depth: int = 3) -> Iterator[Any]:
    """Yield the graphs of the tensors in a function's closure."""
    import tensorflow as tf

    for cell in getattr(function, "__closure__", None) or ():
        try:
            value = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        if callable(value) and depth:
            yield from _captured_graphs(value, depth - 1)
        else:
            yield from (tensor.graph for tensor in tf.nest.flatten(value) if tf.is_symbolic_tensor(tensor))
