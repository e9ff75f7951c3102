"""Group fetches and feeds of ``Session.run`` by graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmagic.errors import ForeignTensorError
from tfmagic.runtime.session.hosted_graph import label_of

v1 = tf.compat.v1


def leaves(fetches: Any) -> list[Any]:
    """Return the tensors, operations and names of a fetch structure, in order.

    The structures are those of ``tf.compat.v1.Session.run``: nested lists, tuples, named tuples, mappings and attrs
    classes.
    """
    in_order: list[Any] = []
    replace_leaves(fetches, in_order.append)
    return in_order


def replace_leaves(fetches: Any, make: Callable[[Any], Any]) -> Any:
    """Return the same structure with every leaf replaced by ``make(leaf)``."""
    if isinstance(fetches, Mapping):
        replaced = {key: replace_leaves(value, make) for key, value in fetches.items()}
        # As Session.run does: an OrderedDict comes back as an OrderedDict.
        return type(fetches)(replaced) if isinstance(fetches, dict) else replaced
    if isinstance(fetches, tuple) and hasattr(fetches, "_fields"):
        return type(fetches)(*(replace_leaves(value, make) for value in fetches))
    if isinstance(fetches, (list, tuple)):
        return type(fetches)(replace_leaves(value, make) for value in fetches)
    attributes = getattr(type(fetches), "__attrs_attrs__", None)
    if attributes is not None:
        values = (replace_leaves(getattr(fetches, field.name), make) for field in attributes)
        return type(fetches)(*values)
    return make(fetches)


def graph_of(element: Any, default: Any) -> Any:
    """Return the graph of a fetch or of a feed's key; names belong to the default graph.

    A `ForeignTensorError` for an eager tensor or variable, a ``TypeError`` for anything else that cannot be fetched.
    """
    if isinstance(element, (str, bytes)):
        return default
    if tf.is_tensor(element) or isinstance(element, (tf.Operation, tf.Variable)):
        part = element.flat_values if isinstance(element, tf.RaggedTensor) else element
        # An eager tensor's .graph raises AttributeError; an eager variable's does too.
        graph = getattr(part, "graph", None)
        if graph is None or isinstance(part, tf.__internal__.EagerTensor):
            msg = f"{_short(element)} is an eager value, in no graph: there is nothing to run, .numpy() has it"
            raise ForeignTensorError(msg)
        return graph
    graph = getattr(element, "graph", None)
    if isinstance(graph, tf.Graph):
        return graph
    msg = (
        f"cannot run {_short(element)}: expected tensors, operations, variables, their names, "
        f"or lists, tuples and dicts of these, got {type(element).__name__}"
    )
    raise TypeError(msg)


def fetch_names(fetches: Any, graph: Any) -> tuple[str, ...] | None:
    """Return the names of the tensors and operations that a run of one graph fetches; None if unknown."""
    names: list[str] = []
    try:
        for leaf in leaves(fetches):
            if isinstance(leaf, (tf.Tensor, tf.Operation)):
                names.append(leaf.name)
            else:
                parts = tf.nest.flatten(leaf, expand_composites=True)
                names.extend(graph.as_graph_element(part).name for part in parts)
    except (KeyError, TypeError, ValueError):
        return None
    return tuple(names)


def feeds_by_graph(feeds: Mapping[Any, Any], graphs: list[Any], default: Any) -> dict[int, dict[Any, Any]]:
    """Return the feeds of each graph by the graph's ``id``; `ForeignTensorError` for a graph that is not fetched."""
    by_graph: dict[int, dict[Any, Any]] = {id(graph): {} for graph in graphs}
    for key, value in feeds.items():
        # A composite tensor may be fed as a tuple of its components.
        graph = graph_of(key[0] if isinstance(key, tuple) else key, default)
        if not graphs:
            continue
        if id(graph) not in by_graph:
            fetched = " and ".join(label_of(other) for other in graphs)
            name = getattr(key, "name", key)
            msg = (
                f"{name!r} is a tensor of {label_of(graph)}, and this run fetches only from {fetched}: "
                "feed tensors of the graph that is fetched"
            )
            raise ForeignTensorError(msg)
        by_graph[id(graph)][key] = value
    return by_graph


def callable_of(
    run: Callable[..., Any], fetches: Any, feed_list: Sequence[Any] | None, *, accept_options: bool
) -> Callable[..., Any]:
    """Return a function of the values of `feed_list` that runs `fetches`, as ``Session.make_callable`` does."""
    keys = list(feed_list or [])

    def call(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
        if len(values) != len(keys):
            msg = f"this callable takes {len(keys)} values, one for each feed; {len(values)} came"
            raise TypeError(msg)
        if not accept_options and (options is not None or run_metadata is not None):
            msg = "this callable takes no options: make it with accept_options=True"
            raise TypeError(msg)
        return run(fetches, dict(zip(keys, values, strict=True)), options, run_metadata)

    return call


def own_feeds(
    feeds: Mapping[Any, Any], graph: Any, kept: Callable[[tuple[str, ...]], tuple[int, ...]]
) -> Mapping[Any, Any]:
    """Return the feeds of a run of `graph`, with a copy of each array that the run could keep.

    `kept` takes tensor names, and returns the indices of those whose values the run could keep.
    """
    if not any(map(_has_memory, feeds.values())):
        return feeds
    parts: list[tuple[str, ...]] = []
    for key in feeds:
        try:
            flat = tf.nest.flatten(key, expand_composites=True)
            parts.append(tuple(graph.as_graph_element(part, allow_operation=False).name for part in flat))
        except (KeyError, TypeError, ValueError):
            # TensorFlow reports what is wrong with the key, or knows a kind of key that we do not.
            return {key: _copied(value) for key, value in feeds.items()}
    names = tuple(dict.fromkeys(name for part in parts for name in part))
    copied_names = {names[index] for index in kept(names)}
    return {
        key: _copied(value) if copied_names.intersection(part) else value
        for part, (key, value) in zip(parts, feeds.items(), strict=True)
    }


def _has_memory(value: Any) -> bool:
    return not isinstance(value, (bool, int, float, complex, str, bytes, np.generic))


def _copied(value: Any) -> Any:
    """Return a copy of a fed value. A list of numbers needs none: TensorFlow makes an array of it."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = [_copied(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        # A sparse tensor may come as a list of its parts.
        return [part if isinstance(part, list) else _copied(part) for part in value]
    if isinstance(value, v1.ragged.RaggedTensorValue):
        return v1.ragged.RaggedTensorValue(_copied(value.values), _copied(value.row_splits))
    # Tables and tensors of other libraries, and plain memory: NumPy would not copy them.
    return np.array(value) if _is_array(value) and not tf.is_tensor(value) else value


def _is_array(value: Any) -> bool:
    """Return whether NumPy would use a value's memory without a copy."""
    if any(hasattr(value, protocol) for protocol in ("__array__", "__array_interface__", "__array_struct__")):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return not isinstance(value, bytes)


def _short(element: Any) -> str:
    text = " ".join(str(element).split())
    return text if len(text) <= 60 else text[:59] + "…"


def distinct_graphs(graphs: Sequence[Any]) -> list[Any]:
    """Return the distinct graphs in the order of their first occurrence."""
    return list({id(graph): graph for graph in graphs}.values())
