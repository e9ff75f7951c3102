"""Messages that a page sends to a panel in a cell do not change the kernel's status.

ipykernel publishes busy and idle around each message that it handles, also around one
that another thread handles while a cell runs. Front ends and Jupyter's server take that
idle for the end of the cell. They ignore the status of messages of certain types, and a
widget's messages are of none of these. So ours are given such a type.
"""

from __future__ import annotations

from typing import Any

from tfmagic.core.process import once

# Every Jupyter server ignores this type by default, also one without tfmagic.
_UNTRACKED = "comm_info_request"


class _PanelMessages:
    """Wraps a kernel's ``set_parent``, which ipykernel calls before it publishes any status."""

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
