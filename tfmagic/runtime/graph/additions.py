"""A scope in which tfmagic adds operations to a graph, whatever scopes the person has open."""

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
    """Make a graph the default, and unfinalize it, while the block runs.

    The person's open name scopes, devices and control dependencies do not apply to the new
    operations. These are placed on the device of the operation `beside`, if it is given.
    """
    with (
        _unfinalized(graph),
        graph.as_default(),
        graph.control_dependencies(None),
        graph.name_scope(None),
        graph.colocate_with(beside, ignore_existing=True),
    ):
        yield


@contextmanager
def _unfinalized(graph: Any) -> Iterator[None]:
    """Unfinalize a graph until the last of several threads has left the block."""
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
