"""An open graph: its native session, and the calls prepared on it."""

from __future__ import annotations

import itertools
import threading
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING

from tfmagic.runtime.calls.prepared_call import PreparedCall
from tfmagic.runtime.graph.fed_values import kept_feeds
from tfmagic.runtime.graph.native_session import may_keep_another

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.runtime.calls.prepared_call import Preparation
    from tfmagic.runtime.graph.native_session import NativeSession
    from tfmagic.runtime.state.run_history import RunHistory

_uses = itertools.count()
# So many sets of feeds and fetches are remembered with the feeds to copy.
_MOST_REMEMBERED = 256


class OpenGraph:
    """A graph's native session while it is open, with the calls prepared on it.

    `preparation` returns how calls are prepared at present.
    """

    def __init__(self, native: NativeSession, history: RunHistory, preparation: Callable[[], Preparation]) -> None:
        self.native = native
        self.closed = False
        self.history = history
        self.preparation = preparation
        self._prepared: dict[tuple[tuple[str, ...], tuple[str, ...]], PreparedCall] = {}
        self._preparing = threading.Lock()

        @lru_cache(_MOST_REMEMBERED)
        def positions(feeds: tuple[str, ...], fetches: tuple[str, ...] | None, _version: int | None) -> tuple[int, ...]:
            return kept_feeds(native.graph, feeds, fetches)

        self._kept_feeds = positions

    def prepared(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> PreparedCall:
        """Return the prepared call for these feeds and fetches, made at first use."""
        key = (feeds, fetches)
        call = self._prepared.get(key)
        if call is None:
            with self._preparing:
                call = self._prepared.get(key)
                if call is None:
                    self._drop_least_recent()
                    call = self._prepared[key] = PreparedCall(self, feeds, fetches)
        call.used = next(_uses)
        return call

    def _drop_least_recent(self) -> None:
        """Drop the least recently used prepared calls; a call under way is freed at its end."""
        by_use = sorted(self._prepared.items(), key=lambda item: item[1].used)
        while not may_keep_another([call.held_bytes for _, call in by_use]):
            key, _ = by_use.pop(0)
            self._prepared.pop(key, None)

    def kept_feeds(self, feeds: tuple[str, ...], fetches: tuple[str, ...] | None) -> tuple[int, ...]:
        """Return the positions of the feeds to copy before a run; `fetches` is None where they are not known."""
        if not feeds:
            return ()
        return self._kept_feeds(feeds, fetches, None if fetches is not None else self.native.graph.version)

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
