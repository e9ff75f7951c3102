"""The channel to JupyterLab: requests over the control channel, snapshots over iopub.

Both work while a cell runs, and after the page was loaded anew meanwhile, when no
widget comes back before the cell's end. ipykernel's control handlers are a plain
dictionary (``Kernel.control_handlers``); a front end hears a message on iopub of
whatever type, also one that answers nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tfmagic.panel.channel.handshake import put_up_sign, take_down_sign
from tfmagic.panel.channel.sendable import sendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.panel.channel.requests import Reply
    from tfmagic.panel.channel.subscribers import Audience

REQUEST = "tfmagic_request"
"""What a front end sends."""

REPLY = "tfmagic_reply"
"""What answers it, in the kernel's own time."""

PUSH = "tfmagic_push"
"""What the kernel sends by itself: that tfmagic is there or goes, that its sidebar is to be seen, and snapshots."""

# A page answers in a few hundredths of a second; that it draws much at the time may take longer.
_PATIENCE_S = 2.0


class Channel:
    """Answers what front ends ask of a kernel, and sends them snapshots.

    The control channel carries interrupts too, one message at a time. So its handler
    comes back at once, and what takes longer is answered from a thread.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._audience: Audience | None = None

    async def __call__(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        """Take a request, in the control thread."""
        loop = asyncio.get_running_loop()

        def send(record: Reply) -> None:
            self._kernel.session.send(stream, REPLY, sendable({"status": "ok", **record}), parent, ident=ident)

        def give(record: Reply) -> None:
            # A stream is its loop's own. After the loop's end there is nobody to answer.
            if not loop.is_closed():
                loop.call_soon_threadsafe(send, record)

        self._open().receive(parent.get("content"), give)

    def tell(self, kind: str) -> None:
        """Let every front end know something that needs no more words."""
        self.push({"kind": kind})

    def reveal(self) -> bool:
        """Have a front end bring its sidebar to the front; return whether one has said that it did."""
        revealed = self._open().revealed
        revealed.clear()
        self.tell("reveal")
        # The answer comes over the control channel, whose thread is another, also while a cell runs.
        return revealed.wait(_PATIENCE_S)

    def push(self, message: dict[str, Any]) -> None:
        """Send a message to every front end, in answer to none of theirs."""
        kernel = self._kernel
        kernel.session.send(kernel.iopub_socket, PUSH, message, parent={}, ident=PUSH.encode())

    def close(self) -> None:
        """Send nothing more."""
        if self._audience is not None:
            self._audience.look_away()
        self.tell("unloaded")

    def _open(self) -> Audience:
        # Not before somebody asks: loading is to stay quick.
        if self._audience is None:
            from tfmagic.panel.channel.subscribers import Audience

            self._audience = Audience(self.push, heard_while_busy=True)
        return self._audience


def open_channel(shell: Any) -> None:
    """Have the shell's kernel answer; a shell in a terminal has none."""
    handlers = _handlers(shell)
    if handlers is not None:
        handlers[REQUEST] = channel = Channel(shell.kernel)
        put_up_sign(shell.kernel)
        channel.tell("loaded")


def reveal_sidebar(shell: Any) -> bool:
    """Bring JupyterLab's sidebar to the front; return whether there is one."""
    channel = (_handlers(shell) or {}).get(REQUEST)
    return channel is not None and channel.reveal()


def close_channel(shell: Any) -> None:
    """Have it answer no more, also where a former load of this module had it answer."""
    channel = (_handlers(shell) or {}).pop(REQUEST, None)
    if channel is not None:
        take_down_sign(shell.kernel)
        channel.close()


def _handlers(shell: Any) -> dict[str, Any] | None:
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    return handlers if isinstance(handlers, dict) else None
