"""The mark by which a front end knows that tfmagic is in a kernel.

Every ipykernel lists its open comms on request, over the control channel too, so also
while a cell runs. A question that only tfmagic understands would put an error into the
log of each kernel without tfmagic.
"""

from __future__ import annotations

from typing import Any

TARGET = "tfmagic"
"""The target name that a front end looks for among the open comms."""


class Handshake:
    """A comm that carries no messages; that it is listed is the message."""

    comm_id = target_name = TARGET

    def handle_msg(self, message: Any) -> None:
        """Ignore a message."""

    def handle_close(self, message: Any) -> None:
        """Ignore that a front end closes it."""


def offer_handshake(kernel: Any) -> None:
    """List the handshake among the kernel's comms."""
    manager = getattr(kernel, "comm_manager", None)
    if manager is not None:
        manager.register_comm(Handshake())


def withdraw_handshake(kernel: Any) -> None:
    """Remove the handshake, also one of this module as it was before a reload."""
    manager = getattr(kernel, "comm_manager", None)
    if manager is not None and TARGET in manager.comms:
        manager.unregister_comm(manager.comms[TARGET])
