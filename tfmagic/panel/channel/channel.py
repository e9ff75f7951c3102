"""The channel to JupyterLab: requests over the control channel, snapshots over iopub.

Both work while a cell runs, and also after the page was reloaded meanwhile, when no
widget comes back before the cell ends. ipykernel's control handlers are a plain
dictionary (``Kernel.control_handlers``). A front end receives iopub messages of any
type, also those that answer nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.panel.channel.requests import Reply
    from tfmagic.panel.channel.subscribers import Subscribers

REQUEST = "tfmagic_request"
"""The type of a front end's messages."""

REPLY = "tfmagic_reply"
"""The type of their answers, sent when the kernel has them."""

PUSH = "tfmagic_push"
"""The type of messages without a request: tfmagic was loaded or unloaded, its sidebar is to open, snapshots."""

HANDSHAKE = "tfmagic"
"""The comm target by which a front end knows that tfmagic is in a kernel."""

# A page answers in a few hundredths of a second. One that has asked before is there, and may be on a busy machine.
_FIRST_ANSWER_S = 2.0
_ANSWER_S = 15.0


class Handshake:
    """A comm that carries no messages; that it is listed is the message.

    Every ipykernel lists its open comms on request, over the control channel too, so also
    while a cell runs. A question that only tfmagic understands would put an error into the
    log of each kernel without tfmagic.
    """

    comm_id = target_name = HANDSHAKE

    def handle_msg(self, message: Any) -> None:
        """Ignore a message."""

    def handle_close(self, message: Any) -> None:
        """Ignore that a front end closes it."""


class Channel:
    """Answers what front ends ask of a kernel, and sends them snapshots.

    The control channel also carries interrupts, one message at a time. So its handler
    returns at once, and a thread answers what takes longer.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._subscribers: Subscribers | None = None
        self._is_heard = False

    async def __call__(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        """Receive a request, in the control thread."""
        from tfmagic.panel.channel.requests import sendable

        self._is_heard = True
        loop = asyncio.get_running_loop()

        def send(record: Reply) -> None:
            self._kernel.session.send(stream, REPLY, sendable({"status": "ok", **record}), parent, ident=ident)

        def send_from_any_thread(record: Reply) -> None:
            # Only its loop may use a stream. After the loop has ended there is nobody to answer.
            if not loop.is_closed():
                loop.call_soon_threadsafe(send, record)

        self._opened().receive(parent.get("content"), send_from_any_thread)

    def announce(self, kind: str) -> None:
        """Send every front end a message that is only its kind."""
        self.push({"kind": kind})

    def reveal(self) -> bool:
        """Have a front end bring its sidebar to the front; return whether one confirmed it."""
        revealed = self._opened().revealed
        revealed.clear()
        self.announce("reveal")
        # The confirmation comes over the control channel, whose thread also works while a cell runs.
        return revealed.wait(_ANSWER_S if self._is_heard else _FIRST_ANSWER_S)

    def push(self, message: dict[str, Any]) -> None:
        """Send every front end a message that answers no request."""
        kernel = self._kernel
        kernel.session.send(kernel.iopub_socket, PUSH, message, parent={}, ident=PUSH.encode())

    def close(self) -> None:
        """Stop sending snapshots, and announce that tfmagic is unloaded."""
        if self._subscribers is not None:
            self._subscribers.unsubscribe()
        self.announce("unloaded")

    def _opened(self) -> Subscribers:
        # At the first request: loading the extension stays quick.
        if self._subscribers is None:
            from tfmagic.panel.channel.subscribers import Subscribers

            self._subscribers = Subscribers(self.push, heard_while_busy=True)
        return self._subscribers


def open_channel(shell: Any) -> None:
    """Have the shell's kernel answer requests; a shell in a terminal has none."""
    handlers = _handlers(shell)
    if handlers is not None:
        handlers[REQUEST] = channel = Channel(shell.kernel)
        if (comms := getattr(shell.kernel, "comm_manager", None)) is not None:
            comms.register_comm(Handshake())
        channel.announce("loaded")


def reveal_sidebar(shell: Any) -> bool:
    """Bring JupyterLab's sidebar to the front; return whether there is one."""
    channel = (_handlers(shell) or {}).get(REQUEST)
    return channel is not None and channel.reveal()


def close_channel(shell: Any) -> None:
    """Close the channel, also one of this module as it was before a reload."""
    channel = (_handlers(shell) or {}).pop(REQUEST, None)
    if channel is not None:
        comms = getattr(shell.kernel, "comm_manager", None)
        if comms is not None and HANDSHAKE in comms.comms:
            comms.unregister_comm(comms.comms[HANDSHAKE])
        channel.close()


def _handlers(shell: Any) -> dict[str, Any] | None:
    handlers = getattr(getattr(shell, "kernel", None), "control_handlers", None)
    return handlers if isinstance(handlers, dict) else None
