"""The sign by which a front end knows that tfmagic is in a kernel.

Every ipykernel says which comms are open, over the control channel too, so while a
cell runs. To ask it for what only tfmagic knows would put an error into the log of
each kernel that has no tfmagic.
"""

from __future__ import annotations

from typing import Any

TARGET = "tfmagic"
"""What a front end looks for among the targets of the comms that are open."""


class Sign:
    """Stands among a kernel's comms; no front end is told of it, and nothing is said through it."""

    comm_id = target_name = TARGET

    def handle_msg(self, message: Any) -> None:
        """Take no notice."""

    def handle_close(self, message: Any) -> None:
        """Take no notice."""


def put_up_sign(kernel: Any) -> None:
    """Have it stand there from now on."""
    manager = getattr(kernel, "comm_manager", None)
    if manager is not None:
        manager.register_comm(Sign())


def take_down_sign(kernel: Any) -> None:
    """Have it stand there no more, also where a former load of this module had put it up."""
    manager = getattr(kernel, "comm_manager", None)
    if manager is not None and TARGET in manager.comms:
        manager.unregister_comm(manager.comms[TARGET])
