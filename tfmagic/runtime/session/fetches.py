"""Which graphs a fetch structure reaches, and how to take it apart by graph."""

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

    The structures are those of ``tf.compat.v1.Session.run``: lists, tuples, named
    tuples, mappings and attrs classes, nested as one likes.
    """
    found: list[Any] = []
    replace_leaves(fetches, found.append)
    return found


def replace_leaves(fetches: Any, make: Callable[[Any], Any]) -> Any:
    """Return the same structure with every leaf replaced by what `make` gives for it."""
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
    """Return the graph to which a fetch or a feed's key belongs.

    Parameters
    ----------
    element
        A tensor, operation, variable, composite tensor, or a name.
    default
        The default graph, in which a name is looked up.

    Raises
    ------
    ForeignTensorError
        For an eager tensor or variable, which is in no graph.
    TypeError
        For anything else that ``Session.run`` would not fetch either.
    """
    if isinstance(element, (str, bytes)):
        return default
    if tf.is_tensor(element) or isinstance(element, (tf.Operation, tf.Variable)):
        part = element
        if isinstance(element, tf.RaggedTensor):
            part = element.flat_values
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


def names_of(fetches: Any, graph: Any) -> tuple[str, ...] | None:
    """Return the names of the tensors and operations that a run of one graph fetches, None where they are not known.

    Parameters
    ----------
    fetches
        Their structure.
    graph
        The graph.
    """
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


def feeds_by_graph(
    feeds: Mapping[Any, Any],
    graphs: list[Any],
    default: Any,
) -> dict[int, dict[Any, Any]]:
    """Return the feeds of each graph, by the graph's ``id``.

    Raises
    ------
    ForeignTensorError
        For a feed of a graph from which nothing is fetched.
    """
    by_graph: dict[int, dict[Any, Any]] = {id(graph): {} for graph in graphs}
    for key, value in feeds.items():
        graph = graph_of(_first(key), default)
        if not graphs:
            continue
        if id(graph) not in by_graph:
            of = " and ".join(label_of(other) for other in graphs)
            name = getattr(key, "name", key)
            msg = (
                f"{name!r} is a tensor of {label_of(graph)}, and this run fetches only from {of}: "
                "feed tensors of the graph that is fetched"
            )
            raise ForeignTensorError(msg)
        by_graph[id(graph)][key] = value
    return by_graph


def own_feeds(
    feeds: Mapping[Any, Any], graph: Any, kept: Callable[[tuple[str, ...]], tuple[int, ...]]
) -> Mapping[Any, Any]:
    """Return the feeds of a run, with a copy of each array that the run could keep.

    Parameters
    ----------
    feeds
        Values by tensor, tensor name or composite tensor of `graph`.
    graph
        The graph.
    kept
        Gives the places of those tensors, by name, whose values could be kept.
    """
    if not any(map(_has_memory, feeds.values())):
        return feeds
    parts: list[tuple[str, ...]] = []
    for key in feeds:
        try:
            flat = tf.nest.flatten(key, expand_composites=True)
            parts.append(tuple(graph.as_graph_element(part, allow_operation=False).name for part in flat))
        except (KeyError, TypeError, ValueError):
            # TensorFlow says what is wrong with it, or takes what nobody here knows.
            return {key: _copied(value) for key, value in feeds.items()}
    names = tuple(dict.fromkeys(name for part in parts for name in part))
    wanted = {names[index] for index in kept(names)}
    return {
        key: _copied(value) if wanted.intersection(part) else value
        for part, (key, value) in zip(parts, feeds.items(), strict=True)
    }


def _has_memory(value: Any) -> bool:
    return not isinstance(value, (bool, int, float, complex, str, bytes, np.generic))


def _copied(value: Any) -> Any:
    """Return a fed value with memory of its own; TensorFlow makes an array of a list of numbers, and so need not."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = [_copied(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        # The parts of a sparse tensor may come in one, too.
        return [part if isinstance(part, list) else _copied(part) for part in value]
    if isinstance(value, v1.ragged.RaggedTensorValue):
        return v1.ragged.RaggedTensorValue(_copied(value.values), _copied(value.row_splits))
    # Tables and tensors of other libraries, and plain memory: NumPy would look at it where it lies.
    return np.array(value) if _is_array(value) and not tf.is_tensor(value) else value


def _is_array(value: Any) -> bool:
    """Return whether NumPy takes a value's memory as it is, through one of the ways that it knows."""
    if any(hasattr(value, way) for way in ("__array__", "__array_interface__", "__array_struct__")):
        return True
    try:
        memoryview(value)
    except TypeError:
        return False
    return not isinstance(value, bytes)


def _first(key: Any) -> Any:
    # A composite tensor may be fed as a tuple of its components.
    return key[0] if isinstance(key, tuple) else key


def _short(element: Any) -> str:
    text = " ".join(str(element).split())
    return text if len(text) <= 60 else text[:59] + "…"


def in_order(graphs: Sequence[Any]) -> list[Any]:
    """Return the distinct graphs in the order in which they were first named."""
    seen: dict[int, Any] = {id(graph): graph for graph in graphs}
    return list(seen.values())
