"""Who looks at this kernel through one channel: what they are sent, and the answers to what they ask."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.core.running_cells import running_cells
from tfmagic.panel.channel.request_handler import Desk
from tfmagic.panel.channel.requests import Reply, answer, identity_of, reply, short_text
from tfmagic.panel.channel.sendable import sendable
from tfmagic.panel.snapshot.latest import latest_snapshot
from tfmagic.panel.snapshot.sampler import INTERVALS_S, is_interval, sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.row import ModelRow
    from tfmagic.panel.snapshot.snapshot import Snapshot

# A page that is looked at says so every ten seconds.
_LEASE_S = 30.0
_PAGES = 100


class Audience:
    """The pages at the other end of one channel.

    They are sent what has changed at each of the sampler's looks, for as long as one
    of them says that somebody looks.

    Parameters
    ----------
    send
        Puts a message on the channel, from whichever thread.
    heard_while_busy
        Whether what a page says surely arrives while a cell runs. Where it may not,
        a page is not to lose sight for its silence.

    Attributes
    ----------
    revealed : threading.Event
        Set when a page says that it has brought its sidebar to the front.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], *, heard_while_busy: bool) -> None:
        self._send = send
        self._heard_while_busy = heard_while_busy
        self._unwatch: Callable[[], None] | None = None
        self.revealed = threading.Event()
        self._seen_s: dict[str, float] = {}
        self._wished_s: dict[str, float | None] = {}
        self._sent: dict[str, ModelRow] = {}
        self._desk = Desk()

    def push(self, record: Snapshot) -> None:
        """Send a snapshot, of the models only those that have changed since the last one."""
        now_s = time.monotonic()
        if running_cells().since_s is not None and not self._heard_while_busy:
            self._seen_s = dict.fromkeys(self._seen_s, now_s)
        elif all(now_s - seen_s > _LEASE_S for seen_s in list(self._seen_s.values())):
            self.look_away()
            return
        rows = {row["name"]: row for row in record["models"]}
        changed = [row for name, row in rows.items() if self._sent.get(name) is not row]
        self._sent = rows
        self._send(sendable({"kind": "snapshot", "names": list(rows), "snapshot": {**record, "models": changed}}))

    def look(self, page: str, interval_s: float | None = None) -> None:
        """Send snapshots from now on, the next one whole, for as long as a page says that it is looked at.

        Parameters
        ----------
        page
            Which one.
        interval_s
            How often it wants one; None leaves that to the sampler. Of several pages the shortest counts.
        """
        # Pages that went without a word make room, the one first that has been silent for longest.
        self._seen_s.pop(page, None)
        for silent in list(self._seen_s)[: max(0, len(self._seen_s) + 1 - _PAGES)]:
            self._forget(silent)
        wished_before_s = self._wished_s.get(page)
        self._seen_s[page] = time.monotonic()
        self._wished_s[page] = interval_s
        self._sent = {}
        if self._unwatch is None:
            self._unwatch = latest_snapshot().watch(self.push, self._interval_s)
        elif interval_s != wished_before_s:
            # Not only when the interval before is over: the next snapshot says what holds now.
            sampler().wake()

    def look_away(self, page: str | None = None) -> None:
        """Send no more snapshots to a page, or to any."""
        for gone in list(self._seen_s) if page is None else [page]:
            self._forget(gone)
        if not self._seen_s:
            unwatch, self._unwatch = self._unwatch, None
            if unwatch is not None:
                unwatch()

    def receive(self, message: object, give: Callable[[Reply], None]) -> None:
        """Answer what a page asks: by whom it is watched at once, everything else from a thread.

        Parameters
        ----------
        message
            What came, whatever it is.
        give
            Takes the answer, from whichever thread.
        """
        identity = identity_of(message)
        if isinstance(message, dict) and message.get("request") == "watch":
            give(reply(identity, error=self._watch(message)))
        elif isinstance(message, dict) and message.get("request") == "revealed":
            self.revealed.set()
            give(reply(identity))
        elif not self._desk.take(partial(self._answer, message, give)):
            give(reply(identity, error="too many requests at once: wait for one to be answered"))

    def _watch(self, message: dict[str, Any]) -> str | None:
        """Do what a page says of whether it is looked at; return what is wrong with that."""
        page = short_text(message, "page")
        if message.get("looking") is not True:
            self.look_away(page)
            return None
        interval_s = message.get("interval_s")
        if interval_s is not None and not is_interval(interval_s):
            shortest, longest = INTERVALS_S
            is_number = isinstance(interval_s, (int, float))
            got = repr(interval_s) if is_number else f"a {type(interval_s).__name__}"
            return f"interval_s is a number of seconds from {shortest:g} to {longest:g}, got {got}"
        self.look(page, interval_s)
        return None

    def _interval_s(self) -> float | None:
        usual_s = sampler().watched_s
        wished = list(self._wished_s.values())
        return min((usual_s if one is None else one for one in wished), default=None)

    def _forget(self, page: str) -> None:
        self._seen_s.pop(page, None)
        self._wished_s.pop(page, None)

    @staticmethod
    def _answer(message: object, give: Callable[[Reply], None]) -> None:
        give(answer(message))
        # What was done is to be seen at once.
        sampler().wake()
