"""The graphs of the process and their native sessions: opened when a graph is first run, closed on request."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.runs import Run
from tfmagic.errors import ModelStateError
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.hosted_graph import hosted, label_of, never_began, note_opened
from tfmagic.runtime.session.uninitialised import uninitialised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tfmagic.runtime.session.config import SessionConfig
    from tfmagic.runtime.session.open_graph import OpenGraph


class GraphSessions:
    """Opens and closes the native session of each graph, all with one configuration."""

    def __init__(self, config: SessionConfig) -> None:
        self.has_opened = False
        self._config = config
        self._graphs: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.RLock()

    def add(self, graph: Any) -> None:
        """Add a graph to those of the process."""
        with self._lock:
            self._graphs.add(graph)

    def open_graphs(self) -> list[Any]:
        """Return the graphs that have a native session."""
        with self._lock:
            return [graph for graph in self._graphs if hosted(graph).opened is not None]

    def named_graphs(self) -> list[Any]:
        """Return the graphs that have a name for messages."""
        with self._lock:
            return [graph for graph in self._graphs if hosted(graph).label is not None]

    def open(self, graph: Any, run: Run | None = None) -> OpenGraph:
        """Return a graph with its native session, opened and filled if need be."""
        record = hosted(graph)
        if record.opened is None:
            self.add(graph)
            note_opened(graph)
        opened = record.open(graph, self._config.freeze, run or Run(record.evictions))
        if not self.has_opened:
            self.has_opened = True
            memory_policy().unset_once_read(self._config.freeze)
        return opened

    @contextmanager
    def native(self, graph: Any) -> Iterator[Any]:
        """Give a graph's native session; `ModelStateError` if another thread closes it meanwhile."""
        record = hosted(graph)
        run = Run(record.evictions)
        opened = self.open(graph, run)
        try:
            yield opened.native
        except Exception as error:
            if not opened.closed:
                raise
            record.check(run, error)
            msg = f"the session was closed while the variables of {label_of(graph)} were read or written: try again"
            raise ModelStateError(msg) from error

    def run(self, graph: Any, use: Callable[[OpenGraph], Any]) -> Any:
        """Call `use` with a graph's native session, and again if another thread closes it before the run begins."""
        record = hosted(graph)
        run = record.runs.begin(record.evictions)
        try:
            while True:
                record.check(run)
                opened = record.ready or self.open(graph, run)
                try:
                    if record.prepare is not None:
                        record.prepare(opened.native)
                    return use(opened)
                except Exception as error:
                    if not opened.closed:
                        if isinstance(error, tf.errors.FailedPreconditionError):
                            raise uninitialised(error, label_of(graph)) from error
                        raise
                    record.check(run, error)
                    if not never_began(error):
                        msg = f"the session was closed while {label_of(graph)} ran: run it again"
                        raise ModelStateError(msg) from error
        finally:
            record.runs.under_way.pop(run, None)

    def evict(self, graph: Any) -> None:
        """Close a graph's native session and forget its name."""
        try:
            hosted(graph).evict()
        finally:
            with self._lock:
                self._graphs.discard(graph)

    def close(self) -> None:
        """Close every native session, even if closing another raises."""
        with ExitStack() as stack:
            for graph in self.open_graphs():
                stack.callback(hosted(graph).close)
