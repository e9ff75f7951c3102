"""What a page sends to a panel in a cell leaves the kernel's status alone.

ipykernel says busy and idle around each message that it handles, also around one that
another thread handles while a cell runs. Front ends and Jupyter's server take that
idle for the cell's end. They pass over the status of messages of certain types, and a
widget's messages are none of those. So the status of ours says that it is of such a type.
"""

from __future__ import annotations

from typing import Any

from tfmagic.core.process import once

# Every Jupyter server names it by default, so one where tfmagic is not installed does, too.
_UNTRACKED = "comm_info_request"


class _PanelMessages:
    """Comes before a kernel's ``set_parent``, which it calls before it publishes any status.

    Parameters
    ----------
    kernel
        An ipykernel.
    """

    def __init__(self, kernel: Any) -> None:
        self._set_parent = kernel.set_parent
        # Those of closed panels stay: a page may still write to one.
        self.comms: set[str] = set()
        kernel.set_parent = self

    def __call__(self, ident: Any, parent: Any, *channel: Any, **options: Any) -> None:
        """Note which message is handled, as ipykernel does."""
        content, header = parent.get("content"), parent.get("header")
        # A front end knows its message by the identity in the header, which is left as it is.
        if isinstance(content, dict) and content.get("comm_id") in self.comms:
            parent = {**parent, "header": {**header, "msg_type": _UNTRACKED}}
        self._set_parent(ident, parent, *channel, **options)


def leave_status_alone(comm: Any) -> None:
    """Have what a page sends over a comm of a panel's never count as the kernel's work."""
    kernel = getattr(comm, "kernel", None)
    # Where there is no ipykernel, nothing publishes a status.
    if hasattr(kernel, "set_parent"):
        once("panel messages", lambda: _PanelMessages(kernel)).comms.add(comm.comm_id)
