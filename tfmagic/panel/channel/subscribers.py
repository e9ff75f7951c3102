"""The pages that watch this kernel through one channel: their snapshots, and the answers to their requests."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.workers import workers
from tfmagic.core.running_cells import running_cells
from tfmagic.panel.channel.requests import Reply, answer, reply, sendable, short_text
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.sampler import INTERVALS_S, is_interval, sampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.record import ModelRow
    from tfmagic.panel.snapshot.snapshot import Snapshot

# A visible page says so every ten seconds.
_LEASE_S = 30.0
_PAGES = 100
# How many requests may be under way at a time; more are refused.
_REQUESTS = 8


class Subscribers:
    """The pages at the other end of one channel.

    While any of them is visible, they are sent what has changed at each tick of the sampler.
    `send` puts a message on the channel, from any thread. Unless `heard_while_busy`, pages
    cannot be heard while a cell runs: then their silence does not end a subscription.
    `revealed` is set when a page has brought its sidebar to the front.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], *, heard_while_busy: bool) -> None:
        self._send = send
        self._heard_while_busy = heard_while_busy
        self._unwatch: Callable[[], None] | None = None
        self.revealed = threading.Event()
        self._seen_s: dict[str, float] = {}
        self._wanted_s: dict[str, float | None] = {}
        self._sent_rows: dict[str, ModelRow] = {}
        self._free_places = threading.BoundedSemaphore(_REQUESTS)

    def push(self, record: Snapshot) -> None:
        """Send a snapshot, with only those models that have changed since the last one."""
        now_s = time.monotonic()
        if running_cells().since_s is not None and not self._heard_while_busy:
            self._seen_s = dict.fromkeys(self._seen_s, now_s)
        elif all(now_s - seen_s > _LEASE_S for seen_s in list(self._seen_s.values())):
            self.unsubscribe()
            return
        rows = {row["name"]: row for row in record["models"]}
        changed = [row for name, row in rows.items() if self._sent_rows.get(name) is not row]
        self._sent_rows = rows
        self._send(sendable({"kind": "snapshot", "names": list(rows), "snapshot": {**record, "models": changed}}))

    def _push_latest(self) -> None:
        if (latest := history().latest) is not None:
            self.push(latest)

    def subscribe(self, page: str, interval_s: float | None = None) -> None:
        """Send a page snapshots for as long as it says that it is visible; the next one is complete.

        `interval_s` is how often it wants one, None as the sampler has it. The shortest of all pages counts.
        """
        # Pages that closed without a message make room, the one that has been silent longest first.
        self._seen_s.pop(page, None)
        for silent in list(self._seen_s)[: max(0, len(self._seen_s) + 1 - _PAGES)]:
            self._forget(silent)
        wanted_before_s = self._wanted_s.get(page)
        self._seen_s[page] = time.monotonic()
        self._wanted_s[page] = interval_s
        self._sent_rows = {}
        if self._unwatch is None:
            self._unwatch = sampler().watch(self._push_latest, self._interval_s)
        elif interval_s != wanted_before_s:
            # The next snapshot states the interval: not only once the old interval is over.
            sampler().wake()

    def unsubscribe(self, page: str | None = None) -> None:
        """Send no more snapshots to a page; to none of them for None."""
        for gone in list(self._seen_s) if page is None else [page]:
            self._forget(gone)
        if not self._seen_s:
            unwatch, self._unwatch = self._unwatch, None
            if unwatch is not None:
                unwatch()

    def receive(self, message: object, send_reply: Callable[[Reply], None]) -> None:
        """Answer a page's message, whatever it is: subscriptions at once, everything else from a thread."""
        identity = short_text(message, "id")
        if isinstance(message, dict) and message.get("request") == "watch":
            send_reply(reply(identity, error=self._watch(message)))
        elif isinstance(message, dict) and message.get("request") == "revealed":
            self.revealed.set()
            send_reply(reply(identity))
        elif self._free_places.acquire(blocking=False):
            # Workers are used again. ipykernel gives each thread that sends over iopub a socket, and closes it only
            # some seconds after the thread has ended: with a thread a request, the process would run out of files.
            workers().submit(partial(self._answer, message, send_reply))
        else:
            send_reply(reply(identity, error="too many requests at once: wait for one to be answered"))

    def _answer(self, message: object, send_reply: Callable[[Reply], None]) -> None:
        try:
            send_reply(answer(message))
            # The next snapshot shows what was done: now, and not at the next tick.
            sampler().wake()
        except BaseException:
            # Nobody waits for the worker.
            logging.getLogger("tfmagic").exception("a request of the panel could not be answered")
        finally:
            self._free_places.release()

    def _watch(self, message: dict[str, Any]) -> str | None:
        """Subscribe or unsubscribe a page; return what is wrong with its message."""
        page = short_text(message, "page")
        if message.get("looking") is not True:
            self.unsubscribe(page)
            return None
        interval_s = message.get("interval_s")
        if interval_s is not None and not is_interval(interval_s):
            shortest, longest = INTERVALS_S
            is_number = isinstance(interval_s, (int, float))
            got = repr(interval_s) if is_number else f"a {type(interval_s).__name__}"
            return f"interval_s is a number of seconds from {shortest:g} to {longest:g}, got {got}"
        self.subscribe(page, interval_s)
        return None

    def _interval_s(self) -> float | None:
        default_s = sampler().watched_s
        wanted = list(self._wanted_s.values())
        return min((default_s if wanted_s is None else wanted_s for wanted_s in wanted), default=None)

    def _forget(self, page: str) -> None:
        self._seen_s.pop(page, None)
        self._wanted_s.pop(page, None)
