"""``tfmagic.Panel()``: the panel in a notebook, an ipywidgets widget that draws the snapshot live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from tfmagic.panel.channel.sendable import sendable
from tfmagic.panel.channel.subscribers import Subscribers
from tfmagic.panel.channel.untracked_status import hide_from_status
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.summary import Summary

if TYPE_CHECKING:
    from tfmagic.panel.channel.requests import Reply

_STATIC = Path(__file__).parents[1] / "static"


class Panel(anywidget.AnyWidget):
    """Libraries, placement, memory, models and log of this kernel, live, also while a cell runs.

    The script in ``static`` draws it. A page that shows it is sent what has changed at
    each tick of the sampler, for as long as the page says that it is visible.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    snapshot = traitlets.Dict(help="The snapshot as it was when the panel was made.").tag(sync=True)
    history = traitlets.Dict(help="The history before that.").tag(sync=True)

    def __init__(self) -> None:
        self._subscribers = Subscribers(self.send, heard_while_busy=False)
        super().__init__(snapshot=sendable(snapshot()), history=sendable(history().record()))
        handle_while_busy(self.comm)
        hide_from_status(self.comm)
        self.on_msg(self._received)

    def close(self) -> None:
        """Close the panel."""
        self._subscribers.unsubscribe()
        super().close()

    def _received(self, _: Any, message: Any, __: Any) -> None:
        self._subscribers.receive(message, self._reply)

    def _reply(self, record: Reply) -> None:
        self.send(sendable({"kind": "reply", **record}))

    # -- where there is no front end ---------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and the snapshot as text and HTML for front ends without widgets."""
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        page = Summary(snapshot())
        return {**data, **sendable({"text/plain": page.text(), "text/html": page.html()})}, metadata


def handle_while_busy(comm: Any) -> None:
    """Have a page's messages handled while a cell runs.

    ipykernel 7.4 routes them to the shell that the comm was last published on, which is
    the busy one; the page names another, which is the right one. The attribute is
    private: where it is gone, requests wait for the end of the cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, default: default  # noqa: SLF001 - there is no public way
