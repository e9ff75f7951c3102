"""What the session knows of one graph: its native session, and how to fill it.

The record hangs on the graph itself and the native session refers back to the
graph, so the three are one cycle: a graph that nobody refers to any more takes
its native session and its variables with it at the next garbage collection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tfmagic.errors import ModelStateError
from tfmagic.runtime.private import native_callable

v1 = tf.compat.v1

_ATTRIBUTE = "_tfmagic_hosted"
_birth = threading.Lock()

Fill = Callable[[Any], None]


class NativeSession(tf.compat.v1.Session):
    """TensorFlow's own session, told apart from one that a pasted cell makes."""


class OpenGraph:
    """A graph's native session while it is open, with the calls prepared on it.

    Attributes
    ----------
    native
        The native session.
    closed : bool
        Whether it has been closed since.
    """

    def __init__(self, native: NativeSession) -> None:
        self.native = native
        self.closed = False
        self._callables: dict[tuple[tuple[str, ...], tuple[str, ...]], Callable[..., Any]] = {}
        self._making = threading.Lock()

    def callable(self, feeds: Sequence[str], fetches: Sequence[str]) -> Callable[..., Any]:
        """Return the prepared native call for these feeds and fetches, made once."""
        key = (tuple(feeds), tuple(fetches))
        made = self._callables.get(key)
        if made is None:
            with self._making:
                made = self._callables.get(key) or native_callable(self.native, *key)
                self._callables[key] = made
        return made

    def close(self) -> None:
        """Close it: variables are freed now, a run under way is cancelled."""
        self.closed = True
        # A callable's __del__ releases the native one, and must find its session open.
        self._callables.clear()
        self.native.close()


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
    runs : int
        How many native runs are under way.
    interrupted_at : float or None
        `time.monotonic` of the interrupt after which a native run went on.
    """

    def __init__(self) -> None:
        self.label: str | None = None
        self.fill: Fill | None = None
        self.prepare: Fill | None = None
        self.opened: OpenGraph | None = None
        self.evictions = 0
        self.runs = 0
        self.interrupted_at: float | None = None
        self._opening = threading.RLock()
        self._filling = False
        self._counting = threading.Lock()

    def open(self, graph: Any, config: Callable[[], Any], evictions: int) -> OpenGraph:
        """Return the native session of `graph`, opened and filled if it is not.

        A fill that fails leaves the graph closed, and its error is raised.

        Raises
        ------
        ModelStateError
            When the graph was given up since it had this number of `evictions`.
        """
        opened = self.opened
        if opened is not None and not self._filling:
            return opened
        with self._opening:
            while self.opened is None:
                self._open(graph, config, evictions)
            return self.opened

    def _open(self, graph: Any, config: Callable[[], Any], evictions: int) -> None:
        opened = OpenGraph(NativeSession(graph=graph, config=config()))
        self._filling = True
        # Seen by the fill's own runs, which come back here.
        self.opened = opened
        try:
            # After `opened` is set: an eviction from here on finds it, and closes it.
            self.check(evictions)
            if self.fill is not None:
                with graph.as_default():
                    self.fill(opened.native)
        except Exception as error:
            closed_meanwhile = opened.closed
            self.close()
            self.check(evictions, error)
            if not closed_meanwhile:
                raise
        except BaseException:
            self.close()
            raise
        finally:
            self._filling = False

    def check(self, evictions: int, cause: Exception | None = None) -> None:
        """Refuse to go on for a run that began before the graph was given up."""
        if self.evictions != evictions:
            msg = "this graph's model was dropped before its run had ended: add it again"
            raise ModelStateError(msg) from cause

    def evict(self) -> None:
        """Close the native session, and forget what the graph is called and how it is filled."""
        self.evictions += 1
        self.close()
        self.label = self.fill = self.prepare = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count a native run for as long as the block lasts.

        Raises
        ------
        ModelStateError
            While a run that was interrupted has not ended.
        """
        with self._counting:
            if self.stopping:
                seconds = time.monotonic() - (self.interrupted_at or 0.0)
                msg = (
                    f"{self.name} is still stopping: it was interrupted {seconds:.1f} s ago and its "
                    "native run has not ended; run it again later, or drop it to cancel that run"
                )
                raise ModelStateError(msg)
            self.interrupted_at = None
            self.runs += 1
        try:
            yield
        finally:
            with self._counting:
                self.runs -= 1

    def interrupted(self) -> None:
        """Note that the person has stopped waiting for the runs under way."""
        with self._counting:
            if self.runs:
                self.interrupted_at = time.monotonic()

    @property
    def native(self) -> NativeSession | None:
        """The native session, None while there is none open."""
        opened = self.opened
        return None if opened is None else opened.native

    @property
    def stopping(self) -> bool:
        """Whether an interrupted native run is still going on."""
        return self.runs > 0 and self.interrupted_at is not None

    @property
    def name(self) -> str:
        """What to call the graph in a message."""
        return f"model {self.label!r}" if self.label else "a graph that is no model"

    def close(self) -> None:
        """Close the native session: variables are freed now, a run under way is cancelled."""
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
