"""What the session knows of one graph: its native session, and how to fill it.

The record hangs on the graph itself and the native session refers back to the
graph, so the three are one cycle: a graph that nobody refers to any more takes
its native session and its variables with it at the next garbage collection.
"""

from __future__ import annotations

import contextvars
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.runs import Run, Runs
from tfmagic.errors import ModelStateError
from tfmagic.runtime.calls.prepared_call import PreparedCall
from tfmagic.runtime.graph.dataflow import kept_feeds
from tfmagic.runtime.graph.native_session import NativeSession, is_room
from tfmagic.runtime.session.grappler import spared
from tfmagic.runtime.state.history import History
from tfmagic.runtime.state.kept_state import OnDisk, read_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.runtime.calls.prepared_call import Executor, Folding
    from tfmagic.runtime.state.kept_state import KeptState
    from tfmagic.runtime.state.spill import Spill


v1 = tf.compat.v1

_ATTRIBUTE = "_tfmagic_hosted"
_birth = threading.Lock()
_uses = itertools.count()
# Sets of feeds and fetches of which is remembered which feeds are copied.
_MOST_KNOWN = 256

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


@dataclass(frozen=True)
class Preparation:
    """How calls of a graph are to be prepared.

    Attributes
    ----------
    folding
        Makes its variables constants; None where that is not to be.
    executor
        Whose thread runs its operations; None for what is the quickest.
    grows
        Whether operations may be added to it once it is open.
    """

    folding: Folding | None = None
    executor: Executor | None = None
    grows: bool = True


class OpenGraph:
    """A graph's native session while it is open, with the calls prepared on it.

    Attributes
    ----------
    native
        The native session.
    closed : bool
        Whether it has been closed since.
    history
        Of the graph: it is told what prepared calls fetch.
    """

    def __init__(self, native: NativeSession, record: HostedGraph) -> None:
        self.native = native
        self.closed = False
        self.history = record.history
        self._record = record
        self._prepared: dict[tuple[tuple[str, ...], tuple[str, ...]], PreparedCall] = {}
        self._making = threading.Lock()

    def prepared(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> PreparedCall:
        """Return the prepared call for these feeds and fetches, made once."""
        key = (feeds, fetches)
        made = self._prepared.get(key)
        if made is None:
            with self._making:
                made = self._prepared.get(key)
                if made is None:
                    self._make_room()
                    made = self._prepared[key] = PreparedCall(self, feeds, fetches)
        made.used = next(_uses)
        return made

    def _make_room(self) -> None:
        """Let go of prepared calls that were not used for long; one that runs now goes when it has ended."""
        by_use = sorted(self._prepared.items(), key=lambda item: item[1].used)
        while not is_room([call.held_bytes for _, call in by_use]):
            key, _ = by_use.pop(0)
            self._prepared.pop(key, None)

    def kept_feeds(self, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return which feeds a run could keep, so that they are to be copied first.

        Parameters
        ----------
        feeds, fetches
            Names; fetches are None where nobody can tell what they are.
        """
        return self._record.kept_feeds(self.native.graph, feeds, fetches)

    @property
    def folding(self) -> Folding | None:
        """See `Preparation`."""
        return self._record.preparation.folding

    @property
    def executor(self) -> Executor | None:
        """See `Preparation`."""
        return self._record.preparation.executor

    @property
    def calls(self) -> list[PreparedCall]:
        """The calls that were prepared."""
        return list(self._prepared.values())

    def close(self) -> None:
        """Close it: variables are freed now, a run under way is cancelled."""
        self.closed = True
        with ExitStack() as stack:
            # Last, and whatever a call raises.
            stack.callback(self.native.close)
            # A callable's __del__ releases the native one, and must find its session open.
            stack.callback(self._prepared.clear)
            for call in self.calls:
                stack.callback(call.close)


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
        self._kept_feeds: dict[tuple[Any, ...], tuple[int, ...]] = {}
        self._opening = threading.RLock()
        self._unready = False
        self._away: KeptState | None = None
        self.arriving: Callable[[], AbstractContextManager[None]] | None = None
        self._cancelling = threading.Lock()

    def kept_feeds(self, graph: Any, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """See `OpenGraph.kept_feeds`."""
        if not feeds:
            return ()
        key = (feeds, fetches, None if fetches is not None else graph.version)
        found = self._kept_feeds.get(key)
        if found is None:
            if len(self._kept_feeds) >= _MOST_KNOWN:
                self._kept_feeds.clear()
            found = self._kept_feeds[key] = kept_feeds(graph, feeds, fetches)
        return found

    def begin(self) -> Run:
        """Count a native run as under way; the caller takes it out of ``runs.under_way`` again."""
        return self.runs.begin(self.evictions)

    @contextmanager
    def running(self) -> Iterator[Run]:
        """Count the block as a run under way, which is refused while an interrupted one goes on."""
        run = self.begin()
        try:
            yield run
        finally:
            self.runs.under_way.pop(run, None)

    def open(self, graph: Any, config: Callable[[], Any], run: Run) -> OpenGraph:
        """Return the native session of `graph`, opened and filled if it is not.

        A fill that fails leaves the graph closed, and its error is raised.

        Raises
        ------
        ModelStateError
            When the graph was given up, or `run` cancelled, since it began.
        """
        opened = self.opened
        if opened is not None and not self._unready:
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
            chosen = spared(chosen, graph)
        opened = OpenGraph(NativeSession(graph=graph, config=chosen), self)
        before = self.history.fetched_so_far()
        self._unready = True
        # Seen by the fill's own runs, which come back here.
        self.opened = opened
        try:
            # After `opened` is set: an eviction from here on finds it, and closes it.
            self.check(run)
            interruptible(lambda: self._fill(graph, opened.native))
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
            self._unready = False

    def _fill(self, graph: Any, native: Any) -> None:
        away = self._away
        if self.fill is not None and (away is None or not away.needs_no_source(graph)):
            with graph.as_default():
                self.fill(native)
        if away is not None:
            away.put_back(graph, native)

    def _arrived(self, before: Iterable[tuple[str, ...]]) -> None:
        """Let go of what was away; no interrupt comes here, after which neither place would have it."""
        away, self._away = self._away, None
        # What was put back is not what the source gives.
        self.history.note_fill(before, restored=away is not None and away.is_whole)
        if away is not None:
            away.discard()

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
            if self._unready:
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
        self._unready = True
        try:
            kept = read_in_time(graph, opened.native)
            self._away, self.opened = kept, None
            self._end(opened)
        finally:
            self._unready = False
        self.open(graph, config, Run(self.evictions))
        return kept is not None

    def _end(self, opened: OpenGraph | None) -> None:
        # Marked first: what closing makes of a run depends on it.
        self.runs.cancel(list(self.runs.under_way))
        if opened is not None:
            opened.close()

    @property
    def parked(self) -> bool:
        """Whether it takes no memory, until it is next run.

        What is in memory while one native session takes the place of another is not parked.
        """
        return self.opened is None and isinstance(self._away, OnDisk)

    @property
    def parked_whole(self) -> bool:
        """Whether every variable is in the file that it was parked in."""
        return self.spill is not None

    @property
    def kept(self) -> bool:
        """Whether every variable is kept while there is no native session: in a file, or in memory."""
        return self.opened is None and self._away is not None and self._away.is_whole

    @property
    def spill(self) -> Spill | None:
        """The file in which everything is that it held, while that is away."""
        away = self._away
        return away.spill if self.opened is None and isinstance(away, OnDisk) else None

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
                self._away = self._away or OnDisk(None)
                return True
            # New runs wait from here on; one that has its native session already is counted.
            self._unready = True
            if len(self.runs):
                return False
            self._away = interruptible(lambda: keep(opened))
            self._close()
            return True
        finally:
            self._unready = False
            self._opening.release()

    @property
    def ready(self) -> OpenGraph | None:
        """The open graph; None while there is none, or it is just being filled or closed."""
        return None if self._unready else self.opened

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
        away, self._away = self._away, None
        self._close()
        if away is not None:
            away.discard()

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
