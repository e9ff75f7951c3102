"""``tfmagic.Panel()``: the panel in a notebook, an ipywidgets widget that draws the snapshot live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from tfmagic.panel.channel.sendable import sendable
from tfmagic.panel.channel.subscribers import Audience
from tfmagic.panel.channel.untracked_status import leave_status_alone
from tfmagic.panel.drawing.summary import Summary
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.snapshot import snapshot

if TYPE_CHECKING:
    from tfmagic.panel.channel.requests import Reply

_STATIC = Path(__file__).parents[1] / "static"


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
        self._audience = Audience(self.send, heard_while_busy=False)
        super().__init__(snapshot=sendable(snapshot()), history=sendable(history().record()))
        let_through(self.comm)
        leave_status_alone(self.comm)
        self.on_msg(self._received)

    def close(self) -> None:
        """Take the panel away."""
        self._audience.look_away()
        super().close()

    def _received(self, _: Any, message: Any, __: Any) -> None:
        self._audience.receive(message, self._reply)

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
