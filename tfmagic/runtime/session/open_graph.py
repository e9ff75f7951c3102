"""An open graph: its native session, and the calls prepared on it."""

from __future__ import annotations

import itertools
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfmagic.runtime.calls.prepared_call import PreparedCall
from tfmagic.runtime.graph.fed_values import kept_feeds
from tfmagic.runtime.graph.native_session import may_keep_another

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tfmagic.runtime.calls.prepared_call import Executor, Folding
    from tfmagic.runtime.graph.native_session import NativeSession
    from tfmagic.runtime.state.history import History

_uses = itertools.count()
# So many sets of feeds and fetches are remembered with the feeds to copy.
_MOST_REMEMBERED = 256


@dataclass(frozen=True)
class Preparation:
    """How calls of a graph are prepared.

    Attributes
    ----------
    folding
        Replaces its variables by constants; None where that is not wanted.
    executor
        Whose thread runs its operations; None for the quickest.
    grows
        Whether operations may be added once the graph is open.
    """

    folding: Folding | None = None
    executor: Executor | None = None
    grows: bool = True


class CopiedFeeds:
    """Which feeds are copied before a run of a graph, since the run could keep them."""

    def __init__(self) -> None:
        self._remembered: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def of(self, graph: Any, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return the positions of the feeds to copy; `fetches` is None where nobody can tell what is fetched."""
        if not feeds:
            return ()
        key = (feeds, fetches, None if fetches is not None else graph.version)
        positions = self._remembered.get(key)
        if positions is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            positions = self._remembered[key] = kept_feeds(graph, feeds, fetches)
        return positions


class OpenGraph:
    """A graph's native session while it is open, with the calls prepared on it.

    Attributes
    ----------
    closed : bool
        Whether it has been closed since.
    history : History
        The graph's: it is told what prepared calls fetch.
    """

    def __init__(
        self, native: NativeSession, history: History, copied_feeds: CopiedFeeds, preparation: Callable[[], Preparation]
    ) -> None:
        self.native = native
        self.closed = False
        self.history = history
        self._copied_feeds = copied_feeds
        self._preparation = preparation
        self._prepared: dict[tuple[tuple[str, ...], tuple[str, ...]], PreparedCall] = {}
        self._preparing = threading.Lock()

    def prepared(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> PreparedCall:
        """Return the prepared call for these feeds and fetches, made at first use."""
        key = (feeds, fetches)
        call = self._prepared.get(key)
        if call is None:
            with self._preparing:
                call = self._prepared.get(key)
                if call is None:
                    self._make_room()
                    call = self._prepared[key] = PreparedCall(self, feeds, fetches)
        call.used = next(_uses)
        return call

    def _make_room(self) -> None:
        """Drop the least recently used prepared calls; one that runs now is freed when its run ends."""
        by_use = sorted(self._prepared.items(), key=lambda item: item[1].used)
        while not may_keep_another([call.held_bytes for _, call in by_use]):
            key, _ = by_use.pop(0)
            self._prepared.pop(key, None)

    def kept_feeds(self, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return the positions of the feeds to copy first; `fetches` is None where nobody can tell what is fetched."""
        return self._copied_feeds.of(self.native.graph, feeds, fetches)

    @property
    def folding(self) -> Folding | None:
        """See `Preparation`."""
        return self._preparation().folding

    @property
    def executor(self) -> Executor | None:
        """See `Preparation`."""
        return self._preparation().executor

    @property
    def calls(self) -> list[PreparedCall]:
        """The calls that were prepared."""
        return list(self._prepared.values())

    def close(self) -> None:
        """Close the native session: variables are freed now, a run under way is cancelled."""
        self.closed = True
        with ExitStack() as stack:
            # Last, and whatever a call raises.
            stack.callback(self.native.close)
            # A callable's __del__ releases the native one, and must find its session open.
            stack.callback(self._prepared.clear)
            for call in self.calls:
                stack.callback(call.close)
