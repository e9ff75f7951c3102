"""Graphs that were first run inside a block close when the block ends."""

from __future__ import annotations

import contextvars
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.hosted import hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

# A context variable and not a list of the process: a block in one thread must
# not close what another thread opens meanwhile.
_open: contextvars.ContextVar[list[Any] | None] = contextvars.ContextVar("tfmagic_scope", default=None)


@contextmanager
def closing_what_opens() -> Iterator[None]:
    """Close, on leaving, each graph whose native session opened within."""
    opened: list[Any] = []
    token = _open.set(opened)
    try:
        yield
    finally:
        _open.reset(token)
        for graph in opened:
            hosted(graph).close()


def note(graph: Any) -> None:
    """Note for the innermost block that `graph` has been opened in it."""
    opened = _open.get()
    if opened is not None:
        opened.append(graph)
