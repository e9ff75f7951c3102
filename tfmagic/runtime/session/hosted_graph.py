"""The session's record of one graph: its native session, and how its variables are filled.

The graph has the record as an attribute, and the native session refers back to the
graph: the three are one cycle. When nobody refers to a graph any more, the next garbage
collection frees it with its native session and its variables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.runs import Run, Runs
from tfmagic.errors import ModelStateError
from tfmagic.runtime.calls.prepared_call import Preparation
from tfmagic.runtime.graph.grappler import without_idle_passes
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.open_graph import OpenGraph
from tfmagic.runtime.state.kept_state import OnDisk, read_in_time
from tfmagic.runtime.state.run_history import RunHistory

if TYPE_CHECKING:
    from tfmagic.runtime.state.kept_state import KeptState
    from tfmagic.runtime.state.spill import Spill

_ATTRIBUTE = "_tfmagic_hosted"
_creating = threading.Lock()

Fill = Callable[[Any], None]

_memory_for: ContextVar[Callable[[Any], AbstractContextManager[None]] | None] = ContextVar(
    "tfmagic_memory_for", default=None
)


@contextmanager
def memory_for_opened_graphs(memory_for: Callable[[Any], AbstractContextManager[None]]) -> Iterator[None]:
    """Make memory for each named graph that is opened in the block, if its record has no `memory_context` yet."""
    token = _memory_for.set(memory_for)
    try:
        yield
    finally:
        _memory_for.reset(token)


class GraphState(Enum):
    """What a graph's native session is doing."""

    CLOSED = "closed"
    """No native session; the source, or values kept in memory, fill the next one."""
    OPENING = "opening"
    """The native session is being filled: other threads wait."""
    OPEN = "open"
    """The native session runs calls."""
    RESTARTING = "restarting"
    """Its runs are being cancelled, and another native session takes its place."""
    PARKING = "parking"
    """Its values are being written: new runs wait."""
    PARKED = "parked"
    """No native session until the next run: the values are in a file, or come from the source."""


class HostedGraph:
    """The session's record of one graph, with its name in messages, its runs and their history.

    Attributes
    ----------
    fill : callable or None
        Assigns values to the variables of each native session that is opened.
    prepare : callable or None
        Called with the native session before each run, to initialise variables that were added since.
    evictions : int
        How often the graph was evicted: a run that began before must not open it again.
    memory_context : callable or None
        Gives a context in which a native session is opened: it may have to make memory for the session.
    """

    def __init__(self) -> None:
        self.label: str | None = None
        self.fill: Fill | None = None
        self.prepare: Fill | None = None
        self.opened: OpenGraph | None = None
        self.evictions = 0
        self.runs = Runs(self)
        self.history = RunHistory()
        self.preparation = Preparation()
        self._opening = threading.RLock()
        self.state = GraphState.CLOSED
        self._kept: KeptState | None = None
        self.memory_context: Callable[[], AbstractContextManager[None]] | None = None
        self._cancelling = threading.Lock()

    def open(self, graph: Any, config: Callable[[], Any], run: Run) -> OpenGraph:
        """Return the native session of `graph`, opened and filled if need be.

        An error of the fill leaves the graph closed. A `ModelStateError` is raised when the
        graph was evicted or `run` was cancelled since the run began.
        """
        opened = self.opened
        if opened is not None and self.state is GraphState.OPEN:
            return opened
        with self._opening:
            while self.opened is None:
                self._open(graph, config, run)
            return self.opened

    def _open(self, graph: Any, config: Callable[[], Any], run: Run) -> None:
        memory_for = _memory_for.get()
        memory: AbstractContextManager[None] = nullcontext()
        if self.memory_context is not None:
            memory = self.memory_context()
        elif memory_for is not None and self.label is not None:
            memory = memory_for(graph)
        with memory:
            self._open_native(graph, config, run)

    @defer_interrupts
    def _open_native(self, graph: Any, config: Callable[[], Any], run: Run) -> None:
        chosen = config()
        if not self.preparation.grows:
            chosen = without_idle_passes(chosen, graph)
        opened = OpenGraph(NativeSession(graph=graph, config=chosen), self.history, lambda: self.preparation)
        before = self.history.fetched_so_far()
        self.state = GraphState.OPENING
        # Before the fill: its own runs use this session, and an eviction from here on closes it.
        self.opened = opened
        try:
            self.check(run)
            interruptible(self._fill, graph, opened.native)
            # Interrupts are deferred here: else neither place would have the values.
            kept, self._kept = self._kept, None
            # Values that were put back are not those that the source gives.
            self.history.note_fill(before, restored=kept is not None and kept.is_whole)
            if kept is not None:
                kept.discard()
        except Exception as error:
            closed_meanwhile = opened.closed
            self._close()
            self.check(run, error)
            if not closed_meanwhile:
                raise
        except BaseException:
            self._close()
            raise
        finally:
            # Another thread may have closed it meanwhile.
            self.state = GraphState.OPEN if self.opened is opened else self._closed_state()

    def _closed_state(self) -> GraphState:
        return GraphState.PARKED if isinstance(self._kept, OnDisk) else GraphState.CLOSED

    def _fill(self, graph: Any, native: Any) -> None:
        kept = self._kept
        if self.fill is not None and (kept is None or not kept.needs_no_source(graph)):
            with graph.as_default():
                self.fill(native)
        if kept is not None:
            kept.put_back(graph, native)

    def check(self, run: Run, cause: Exception | None = None) -> None:
        """Raise if a run began before the graph was evicted, or was cancelled."""
        if self.evictions != run.evictions:
            msg = "this graph's model was dropped before its run had ended: add it again"
            raise ModelStateError(msg) from cause
        self.runs.require(run, cause)

    def evict(self) -> None:
        """Close the native session, and forget the graph's name and how it is filled."""
        self.evictions += 1
        try:
            self.close()
        finally:
            self.label = self.fill = self.prepare = self.memory_context = None
            self.preparation = Preparation()

    @defer_interrupts
    def cancel(self, graph: Any, config: Callable[[], Any]) -> bool:
        """End the runs under way, and open the graph again with the values of its variables.

        Return whether these could be read; if not, the variables have the values of the source.
        An error of opening is raised: the values are put back when the graph is opened next.
        """
        if not self._cancelling.acquire(blocking=False):
            msg = f"{self.name} is being stopped by another thread at this moment"
            raise ModelStateError(msg)
        try:
            if self.state is GraphState.OPENING:
                # The variables have no values yet that could be lost.
                self._end_runs(self.opened)
                return True
            with self._opening:
                return self._restart(graph, config)
        finally:
            self._cancelling.release()

    def _restart(self, graph: Any, config: Callable[[], Any]) -> bool:
        opened = self.opened
        if opened is None:
            self._end_runs(None)
            return True
        # New runs wait until the other native session is open.
        self.state = GraphState.RESTARTING
        try:
            kept = read_in_time(graph, opened.native)
            self._kept, self.opened = kept, None
            self._end_runs(opened)
        except BaseException:
            self.state = GraphState.OPEN if self.opened is opened else self._closed_state()
            raise
        self.open(graph, config, Run(self.evictions))
        return kept is not None

    def _end_runs(self, opened: OpenGraph | None) -> None:
        # First: it decides which error a run raises when its session is closed.
        self.runs.cancel_all()
        if opened is not None:
            opened.close()

    @property
    def kept(self) -> bool:
        """Whether every variable is kept while there is no native session: in a file, or in memory."""
        return self.opened is None and self._kept is not None and self._kept.is_whole

    @property
    def spill(self) -> Spill | None:
        """The file with the graph's values; None unless the graph is parked in one."""
        kept = self._kept
        return kept.spill if self.opened is None and isinstance(kept, OnDisk) else None

    @defer_interrupts
    def park(self, keep: Callable[[OpenGraph], KeptState]) -> bool:
        """Close the native session, once `keep` has stored its values; an error of `keep` leaves the graph open.

        Return False where a run is under way, or the graph is just being opened.
        """
        if not self._opening.acquire(blocking=False):
            return False
        try:
            opened = self.opened
            if opened is None:
                # Never opened, or closed with the whole session: the source fills it again.
                self._kept = self._kept or OnDisk(None)
                self.state = self._closed_state()
                return True
            # New runs wait from here on; a run that has its native session already is counted.
            self.state = GraphState.PARKING
            try:
                if len(self.runs):
                    return False
                self._kept = interruptible(keep, opened)
                self._close()
            finally:
                self.state = self._closed_state() if self.opened is None else GraphState.OPEN
            return True
        finally:
            self._opening.release()

    @property
    def ready(self) -> OpenGraph | None:
        """The open graph; None while it is closed, or just being filled or closed."""
        return self.opened if self.state is GraphState.OPEN else None

    @property
    def name(self) -> str:
        """What to call the graph in a message."""
        return f"model {self.label!r}" if self.label else "a graph that is no model"

    @property
    def advice(self) -> str:
        """What to type while a run that was interrupted has not ended."""
        if not self.label:
            return "run it again later"
        return f"%tf_model stop {self.label} waits for it, %tf_model stop {self.label} --now cancels it"

    def close(self) -> None:
        """Close the native session: variables are freed now, a run under way is cancelled."""
        kept, self._kept = self._kept, None
        self._close()
        self.state = GraphState.CLOSED
        if kept is not None:
            kept.discard()

    def _close(self) -> None:
        opened, self.opened = self.opened, None
        if opened is not None:
            opened.close()


def hosted(graph: Any) -> HostedGraph:
    """Return the session's record of `graph`, created at the first call."""
    record = getattr(graph, _ATTRIBUTE, None)
    if record is None:
        with _creating:
            record = getattr(graph, _ATTRIBUTE, None)
            if record is None:
                record = HostedGraph()
                setattr(graph, _ATTRIBUTE, record)
    return record


def label_of(graph: Any) -> str:
    """Return what to call `graph` in a message."""
    return hosted(graph).name


def never_began(error: Exception) -> bool:
    """Return whether a run on a closed session failed before it began."""
    # Those of Session.run and of direct_session.cc. A session that Python has freed is None.
    texts = ("Attempted to use a closed Session", "Session has been closed")
    return isinstance(error, (AttributeError, TypeError)) or any(text in str(error) for text in texts)


# A context variable: a block in one thread must not close what another thread opens meanwhile.
_opened_within: ContextVar[list[Any] | None] = ContextVar("tfmagic_opened_within", default=None)


@contextmanager
def closing_what_opens() -> Iterator[None]:
    """Close, on leaving, each graph whose native session opened within."""
    opened: list[Any] = []
    token = _opened_within.set(opened)
    try:
        yield
    finally:
        _opened_within.reset(token)
        for graph in opened:
            hosted(graph).close()


def note_opened(graph: Any) -> None:
    """Note for the innermost `closing_what_opens` that `graph` has been opened in it."""
    opened = _opened_within.get()
    if opened is not None:
        opened.append(graph)
