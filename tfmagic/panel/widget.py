"""``tfmagic.Panel()``: the panel in a notebook, an ipywidgets widget that draws the snapshot live."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from tfmagic.panel.history import history
from tfmagic.panel.live import live
from tfmagic.panel.requests import Reply, answer, identity_of, reply
from tfmagic.panel.sampler import sampler
from tfmagic.panel.sendable import sendable
from tfmagic.panel.snapshot import Snapshot, snapshot
from tfmagic.panel.summary import Summary
from tfmagic.runtime.busy import busy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.row import ModelRow

_STATIC = Path(__file__).parent / "static"
# A page that is looked at says so every ten seconds.
_LEASE_S = 30.0
# Of requests that are being answered at one time; more are refused.
_AT_ONCE = 8
_PAGES = 100
_LONGEST = 200


class Panel(anywidget.AnyWidget):
    """Libraries, placement, memory, models and log of this kernel, live, also while a cell runs.

    It is drawn by what is in ``static``. A page that shows it is sent what has
    changed at each of the sampler's looks, for as long as it says that somebody looks.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    snapshot = traitlets.Dict(help="The snapshot as it was when the panel was made.").tag(sync=True)
    history = traitlets.Dict(help="What was before that.").tag(sync=True)

    def __init__(self) -> None:
        self._unwatch: Callable[[], None] | None = None
        self._seen_s: dict[str, float] = {}
        self._sent: dict[str, ModelRow] = {}
        self._answering = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(snapshot=sendable(snapshot()), history=sendable(history().record()))
        let_through(self.comm)
        self.on_msg(self._received)

    # -- what goes out ---------------------------------------------------------

    def push(self, record: Snapshot) -> None:
        """Send a snapshot, of the models only those that have changed since the last one."""
        now_s = time.monotonic()
        if busy().since_s is not None:
            # Where pages cannot be heard while a cell runs, they are not to lose sight for that.
            self._seen_s = dict.fromkeys(self._seen_s, now_s)
        elif all(now_s - seen_s > _LEASE_S for seen_s in list(self._seen_s.values())):
            self.look_away()
            return
        rows = {row["name"]: row for row in record["models"]}
        changed = [row for name, row in rows.items() if self._sent.get(name) is not row]
        self._sent = rows
        self.send(sendable({"kind": "snapshot", "names": list(rows), "snapshot": {**record, "models": changed}}))

    def look(self, page: str) -> None:
        """Send snapshots from now on, the next one whole, for as long as a page says that it is looked at."""
        self._seen_s[page] = time.monotonic()
        self._sent = {}
        if self._unwatch is None:
            self._unwatch = live().watch(self.push)

    def look_away(self, page: str | None = None) -> None:
        """Send no more snapshots to a page, or to any."""
        if page is None:
            self._seen_s.clear()
        self._seen_s.pop(page or "", None)
        if not self._seen_s:
            unwatch, self._unwatch = self._unwatch, None
            if unwatch is not None:
                unwatch()

    def close(self) -> None:
        """Take the panel away."""
        self.look_away()
        super().close()

    # -- what comes in -----------------------------------------------------------

    def _received(self, _: Any, message: Any, __: Any) -> None:
        identity = identity_of(message)
        if isinstance(message, dict) and message.get("request") == "watch":
            page = str(message.get("page", ""))[:_LONGEST]
            if message.get("looking") is True and len(self._seen_s) < _PAGES:
                self.look(page)
            else:
                self.look_away(page)
            self._reply(reply(identity))
        elif self._answering.acquire(blocking=False):
            threading.Thread(target=self._answer, args=(message,), name="tfmagic-request", daemon=True).start()
        else:
            self._reply(reply(identity, error="too many requests at once: wait for one to be answered"))

    def _answer(self, message: Any) -> None:
        try:
            self._reply(answer(message))
        finally:
            self._answering.release()
        # What was done is to be seen at once.
        sampler().wake()

    def _reply(self, record: Reply) -> None:
        self.send(sendable({"kind": "reply", **record}))

    # -- where there is no front end ---------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and beside it the snapshot as text and HTML for whoever shows no widgets."""
        found = super()._repr_mimebundle_(**options)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        page = Summary(snapshot())
        return {**data, **sendable({"text/plain": page.text(), "text/html": page.html()})}, metadata


def let_through(comm: Any) -> None:
    """Have what a page sends handled while a cell runs.

    ipykernel 7.4 routes it to the shell that the comm was last published on, which
    is the one that is busy; the page names another, and that is to hold. Private, so
    where the name is gone, requests wait for the cell's end.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, default: default  # noqa: SLF001 - there is no public way
