"""What the session knows of one graph: its native session, and how to fill it.

The record hangs on the graph itself and the native session refers back to the
graph, so the three are one cycle: a graph that nobody refers to any more takes
its native session and its variables with it at the next garbage collection.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.runs import Run, Runs
from tfmagic.errors import ModelStateError
from tfmagic.runtime.graph.grappler import without_idle_passes
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.open_graph import CopiedFeeds, OpenGraph, Preparation
from tfmagic.runtime.state.history import History
from tfmagic.runtime.state.kept_state import OnDisk, read_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.runtime.state.kept_state import KeptState
    from tfmagic.runtime.state.spill import Spill


v1 = tf.compat.v1

_ATTRIBUTE = "_tfmagic_hosted"
_birth = threading.Lock()

Fill = Callable[[Any], None]

_builder: ContextVar[Callable[[Any], AbstractContextManager[None]] | None] = ContextVar("tfmagic_builder", default=None)


@contextmanager
def building(builder: Callable[[Any], AbstractContextManager[None]]) -> Iterator[None]:
    """Have a function called with each graph of a name that is opened in the block and has no ``arriving`` yet."""
    token = _builder.set(builder)
    try:
        yield
    finally:
        _builder.reset(token)


class GraphState(Enum):
    """What a graph's native session is doing."""

    CLOSED = "closed"
    """No native session; the source, or what is kept in memory, fills the next one."""
    OPENING = "opening"
    """The native session is being filled: other threads wait."""
    OPEN = "open"
    """The native session runs calls."""
    RESTARTING = "restarting"
    """Its runs are being cancelled, and another native session takes its place."""
    PARKING = "parking"
    """What it holds is being written: new runs wait."""
    PARKED = "parked"
    """No native session, until the graph is next run: the values are in a file, or come from the source."""


class HostedGraph:
    """One graph's place in the session.

    Attributes
    ----------
    label : str or None
        What to call the graph in messages; None for one nobody named.
    fill : callable or None
        Called with each native session that is opened, to give its variables
        their values.
    prepare : callable or None
        Called with the native session before each run, to initialise what has
        been added to the graph since.
    state : GraphState
        What its native session is doing.
    evictions : int
        How often the graph was given up: a run that began before must not open
        it again.
    runs : Runs
        The native runs that are under way.
    arriving : callable or None
        Gives a context in which a native session is opened: memory may have to be made for it.
    history : History
        What was run since its values were those of its source.
    preparation : Preparation
        How its calls are prepared.
    """

    def __init__(self) -> None:
        self.label: str | None = None
        self.fill: Fill | None = None
        self.prepare: Fill | None = None
        self.opened: OpenGraph | None = None
        self.evictions = 0
        self.runs = Runs(self)
        self.history = History()
        self.preparation = Preparation()
        self.copied_feeds = CopiedFeeds()
        self._opening = threading.RLock()
        self.state = GraphState.CLOSED
        self._kept: KeptState | None = None
        self.arriving: Callable[[], AbstractContextManager[None]] | None = None
        self._cancelling = threading.Lock()

    def open(self, graph: Any, config: Callable[[], Any], run: Run) -> OpenGraph:
        """Return the native session of `graph`, opened and filled if it is not.

        A fill that fails leaves the graph closed, and its error is raised.

        Raises
        ------
        ModelStateError
            When the graph was given up, or `run` cancelled, since it began.
        """
        opened = self.opened
        if opened is not None and self.state is GraphState.OPEN:
            return opened
        with self._opening:
            while self.opened is None:
                self._open(graph, config, run)
            return self.opened

    def _open(self, graph: Any, config: Callable[[], Any], run: Run) -> None:
        builder = _builder.get()
        room: AbstractContextManager[None] = nullcontext()
        if self.arriving is not None:
            room = self.arriving()
        elif builder is not None and self.label is not None:
            room = builder(graph)
        with room:
            self._open_in_its_room(graph, config, run)

    @defer_interrupts
    def _open_in_its_room(self, graph: Any, config: Callable[[], Any], run: Run) -> None:
        chosen = config()
        if not self.preparation.grows:
            chosen = without_idle_passes(chosen, graph)
        opened = OpenGraph(
            NativeSession(graph=graph, config=chosen), self.history, self.copied_feeds, lambda: self.preparation
        )
        before = self.history.fetched_so_far()
        self.state = GraphState.OPENING
        # Seen by the fill's own runs, which come back here.
        self.opened = opened
        try:
            # After `opened` is set: an eviction from here on finds it, and closes it.
            self.check(run)
            interruptible(self._fill, graph, opened.native)
            self._arrived(before)
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
            self.state = GraphState.OPEN if self.opened is opened else self._at_rest()

    def _at_rest(self) -> GraphState:
        """Return the state of the graph while it has no native session."""
        return GraphState.PARKED if isinstance(self._kept, OnDisk) else GraphState.CLOSED

    def _fill(self, graph: Any, native: Any) -> None:
        kept = self._kept
        if self.fill is not None and (kept is None or not kept.needs_no_source(graph)):
            with graph.as_default():
                self.fill(native)
        if kept is not None:
            kept.put_back(graph, native)

    def _arrived(self, before: Iterable[tuple[str, ...]]) -> None:
        """Discard the kept state. Interrupts are deferred here: else neither place would have the values."""
        kept, self._kept = self._kept, None
        # What was put back is not what the source gives.
        self.history.note_fill(before, restored=kept is not None and kept.is_whole)
        if kept is not None:
            kept.discard()

    def check(self, run: Run, cause: Exception | None = None) -> None:
        """Refuse to go on with a run that began before the graph was given up, or that was cancelled."""
        if self.evictions != run.evictions:
            msg = "this graph's model was dropped before its run had ended: add it again"
            raise ModelStateError(msg) from cause
        self.runs.require(run, cause)

    def evict(self) -> None:
        """Close the native session, and forget what the graph is called and how it is filled."""
        self.evictions += 1
        try:
            self.close()
        finally:
            self.label = self.fill = self.prepare = self.arriving = None
            self.preparation = Preparation()

    @defer_interrupts
    def cancel(self, graph: Any, config: Callable[[], Any]) -> bool:
        """End the runs under way, and open the graph again with its variables as they stood.

        Parameters
        ----------
        graph, config
            As for `open`.

        Returns
        -------
        bool
            Whether the variables could be read; if not, they have the values of the
            source again.

        Raises
        ------
        ModelStateError
            When another thread is doing the same.
        Exception
            Whatever opening the graph again raised; its variables are put back when
            it is next opened.
        """
        if not self._cancelling.acquire(blocking=False):
            msg = f"{self.name} is being stopped by another thread at this moment"
            raise ModelStateError(msg)
        try:
            if self.state is GraphState.OPENING:
                # The source is being read, and nothing else would be lost.
                self._end(self.opened)
                return True
            with self._opening:
                return self._exchange(graph, config)
        finally:
            self._cancelling.release()

    def _exchange(self, graph: Any, config: Callable[[], Any]) -> bool:
        opened = self.opened
        if opened is None:
            self._end(None)
            return True
        # New runs wait until the other native session is open.
        self.state = GraphState.RESTARTING
        try:
            kept = read_in_time(graph, opened.native)
            self._kept, self.opened = kept, None
            self._end(opened)
        except BaseException:
            self.state = GraphState.OPEN if self.opened is opened else self._at_rest()
            raise
        self.open(graph, config, Run(self.evictions))
        return kept is not None

    def _end(self, opened: OpenGraph | None) -> None:
        # Marked first: what closing makes of a run depends on it.
        self.runs.cancel_all()
        if opened is not None:
            opened.close()

    @property
    def kept(self) -> bool:
        """Whether every variable is kept while there is no native session: in a file, or in memory."""
        return self.opened is None and self._kept is not None and self._kept.is_whole

    @property
    def spill(self) -> Spill | None:
        """The file that holds everything the graph held; None unless it is parked in one."""
        kept = self._kept
        return kept.spill if self.opened is None and isinstance(kept, OnDisk) else None

    @defer_interrupts
    def park(self, keep: Callable[[OpenGraph], KeptState]) -> bool:
        """Close the native session, once what it holds is kept elsewhere.

        Parameters
        ----------
        keep
            Keeps it, and says where; an error of its leaves the graph as it is.

        Returns
        -------
        bool
            False where a run is under way, or the graph is just being opened.
        """
        if not self._opening.acquire(blocking=False):
            return False
        try:
            opened = self.opened
            if opened is None:
                # Never opened, or closed with the whole session: it comes back from its source.
                self._kept = self._kept or OnDisk(None)
                self.state = self._at_rest()
                return True
            # New runs wait from here on; one that has its native session already is counted.
            self.state = GraphState.PARKING
            try:
                if len(self.runs):
                    return False
                self._kept = interruptible(keep, opened)
                self._close()
            finally:
                self.state = self._at_rest() if self.opened is None else GraphState.OPEN
            return True
        finally:
            self._opening.release()

    @property
    def ready(self) -> OpenGraph | None:
        """The open graph; None while there is none, or it is just being filled or closed."""
        return self.opened if self.state is GraphState.OPEN else None

    @property
    def native(self) -> NativeSession | None:
        """The native session, None while there is none open."""
        opened = self.opened
        return None if opened is None else opened.native

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
    """Return the session's record of `graph`, made at the first call."""
    record = getattr(graph, _ATTRIBUTE, None)
    if record is None:
        with _birth:
            record = getattr(graph, _ATTRIBUTE, None)
            if record is None:
                record = HostedGraph()
                setattr(graph, _ATTRIBUTE, record)
    return record


def label_of(graph: Any) -> str:
    """Return what to call `graph` in a message."""
    record = getattr(graph, _ATTRIBUTE, None)
    return record.name if record is not None else "a graph that is no model"


def never_began(error: Exception) -> bool:
    """Return whether a run on a session that was closed meanwhile had not begun when it failed.

    The texts are those of ``Session.run`` and of direct_session.cc; a native
    session that is gone altogether is None where Python looks for it.
    """
    sayings = ("Attempted to use a closed Session", "Session has been closed")
    return isinstance(error, (AttributeError, TypeError)) or any(saying in str(error) for saying in sayings)


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
