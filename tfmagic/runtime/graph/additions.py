"""Operations that tfmagic adds to a graph for its own use, in whatever state a person has left that graph."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.tensorflow.private import unfinalize

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATTRIBUTE = "_tfmagic_additions"
_lock = threading.Lock()


@contextmanager
def adding_to(graph: Any, *, beside: Any = None) -> Iterator[None]:
    """Make a graph the default one, and have it take operations for as long as the block lasts.

    A graph that is finalized is so again at the end. Scopes, devices and control
    dependencies that the person has left open do not reach what is added.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    beside
        The operation on whose device the new ones are to be; None for no request.
    """
    with (
        _taking(graph),
        graph.as_default(),
        graph.control_dependencies(None),
        graph.name_scope(None),
        graph.colocate_with(beside, ignore_existing=True),
    ):
        yield


@contextmanager
def _taking(graph: Any) -> Iterator[None]:
    """Have a graph that is finalized take operations; several threads may be adding some."""
    with _lock:
        count, was_finalized = getattr(graph, _ATTRIBUTE, (0, False))
        if graph.finalized:
            was_finalized = True
            unfinalize(graph)
        setattr(graph, _ATTRIBUTE, (count + 1, was_finalized))
    try:
        yield
    finally:
        with _lock:
            count, was_finalized = getattr(graph, _ATTRIBUTE)
            setattr(graph, _ATTRIBUTE, (count - 1, was_finalized and count > 1))
            if was_finalized and count == 1:
                graph.finalize()
