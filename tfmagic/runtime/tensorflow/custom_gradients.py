"""Custom gradients, held by their graphs instead of by TensorFlow: a graph that nobody needs any more can go.

``tf.custom_gradient`` in a graph registers a function for good, under a name of its
own (``_graph_mode_decorator`` in ``tensorflow/python/ops/custom_gradient.py``).
That function holds tensors of its graph, and the graph everything that it captured:
a Keras model that was compiled and trained once, or that uses ``swish``, keeps its
weights and its optimizer's slots in memory for as long as the process lives.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from tfmagic.core.modules import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = "CustomGradient-"
_HELD_BY = "_tfmagic_custom_gradients"


class _Held:
    """A registered gradient for as long as its graph lives."""

    def __init__(self, name: str, gradient: Callable[..., Any], registry: dict[str, Any]) -> None:
        self._name = name
        self._gradient = weakref.ref(gradient, lambda _: registry.pop(name, None))

    def __call__(self, *values: Any) -> Any:
        gradient = self._gradient()
        if gradient is None:
            msg = f"the graph that {self._name} is of is gone, and its gradient with it"
            raise LookupError(msg)
        return gradient(*values)


def leave_to_graphs() -> int:
    """Have graphs hold what the registry alone has held until now; return how many gradients that are."""
    if imported("tensorflow") is None:
        return 0
    from tfmagic.runtime.tensorflow.private import registered_gradients

    registry, count = registered_gradients(), 0
    for name, entry in list(registry.items()):
        gradient = entry["type"]
        if not name.startswith(_NAME) or isinstance(gradient, _Held):
            continue
        graph = next(_graphs(gradient), None)
        if graph is None:
            continue
        setattr(graph, _HELD_BY, [*getattr(graph, _HELD_BY, ()), gradient])
        entry["type"] = _Held(name, gradient, registry)
        count += 1
    return count


def _graphs(function: Any, depth: int = 3) -> Iterator[Any]:
    """Yield the graphs of the tensors that a function has from around it."""
    import tensorflow as tf

    for cell in getattr(function, "__closure__", None) or ():
        try:
            value = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        if callable(value) and depth:
            yield from _graphs(value, depth - 1)
        else:
            yield from (one.graph for one in tf.nest.flatten(value) if tf.is_symbolic_tensor(one))
