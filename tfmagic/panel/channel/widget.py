"""``tfmagic.Panel()``: the panel in a notebook, an ipywidgets widget that draws the snapshot live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from tfmagic.core.process import once
from tfmagic.panel.channel.requests import sendable
from tfmagic.panel.channel.subscribers import Subscribers
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.summary import Summary

if TYPE_CHECKING:
    from tfmagic.panel.channel.requests import Reply

_STATIC = Path(__file__).parents[1] / "static"
# Every Jupyter server ignores the status of this type by default, also one without tfmagic.
_UNTRACKED = "comm_info_request"


class Panel(anywidget.AnyWidget):
    """Libraries, placement, memory, models and log of this kernel, live, also while a cell runs.

    The script in ``static`` draws it. A page that shows it is sent what has changed at
    each tick of the sampler, for as long as the page says that it is visible.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"
    snapshot = traitlets.Dict(help="The snapshot as it was when the panel was made.").tag(sync=True)
    history = traitlets.Dict(help="The history before that.").tag(sync=True)
    # ipywidgets 7 displays itself by it, as its repr; IPython then asks no further.
    _ipython_display_ = None

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

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, and the snapshot as text and HTML for front ends without widgets."""
        inherited = getattr(super(), "_repr_mimebundle_", None)
        bundle = _view_of(self) if inherited is None else inherited(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        page = Summary(snapshot())
        return {**data, **sendable({"text/plain": page.text(), "text/html": page.html()})}, metadata


def _view_of(widget: Any) -> dict[str, Any]:
    """Return what a front end draws a widget by; ipywidgets 7, and what builds on it, gives no such bundle."""
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}


def handle_while_busy(comm: Any) -> None:
    """Have a page's messages handled while a cell runs.

    ipykernel 7.4 routes them to the shell that the comm was last published on, which is
    the busy one; the page names another, which is the right one. The attribute is
    private: where it is gone, requests wait for the end of the cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _, default: default  # noqa: SLF001 - there is no public way


class _PanelMessages:
    """Wraps a kernel's ``set_parent``, which ipykernel calls before it publishes any status.

    ipykernel publishes busy and idle around each message that it handles, also around one
    that another thread handles while a cell runs. Front ends and Jupyter's server take that
    idle for the end of the cell. They ignore the status of messages of certain types, and a
    widget's messages are of none of these. So a panel's are given such a type.
    """

    def __init__(self, kernel: Any) -> None:
        self._set_parent = kernel.set_parent
        # Comms of closed panels stay: a page may still write to one.
        self.comms: set[str] = set()
        kernel.set_parent = self

    def __call__(self, ident: Any, parent: Any, *channel: Any, **options: Any) -> None:
        """Note which message is handled, as ipykernel does."""
        content, header = parent.get("content"), parent.get("header")
        # A front end knows its message by the id in the header, which stays as it is.
        if isinstance(content, dict) and content.get("comm_id") in self.comms:
            parent = {**parent, "header": {**header, "msg_type": _UNTRACKED}}
        self._set_parent(ident, parent, *channel, **options)


def hide_from_status(comm: Any) -> None:
    """Keep the messages that a page sends over a panel's comm out of the kernel's status."""
    kernel = getattr(comm, "kernel", None)
    # Without an ipykernel nothing publishes a status.
    if hasattr(kernel, "set_parent"):
        once("panel messages", lambda: _PanelMessages(kernel)).comms.add(comm.comm_id)
