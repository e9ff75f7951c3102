"""Running a ``%%tf_run`` cell in a model's room."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.hosted_graph import hosted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.room.cell import Cell
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

_LOG_SETTLE_S = 0.05


@defer_interrupts
def run_in_room(lifecycle: Lifecycle, cell: Cell, notebook: Mapping[str, Any], bound: Mapping[str, Any]) -> Any:
    """Run a cell in the model's room, and return the value of its last expression.

    The cell sees the names of the room, those in `bound` (``this``), and behind them the notebook's.
    """
    with lifecycle.command_lock.hold():
        lifecycle.used_at_s = time.monotonic()
        backend = lifecycle.built_backend()
        if backend.graph is not None:
            hosted(backend.graph).history.changed = True
        with lifecycle.cells.running() as scope:
            try:
                return backend.room.run(cell, notebook, bound)
            finally:
                if not scope.cancelled:
                    # Log lines of the cell are assigned to this model only while it counts as running.
                    native_log().settle(_LOG_SETTLE_S)
