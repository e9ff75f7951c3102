"""``stop``: wait for what a model is doing, or cancel it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.runs import wait_until

if TYPE_CHECKING:
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

# Long for what has been told to end, and short for a person.
_END_S = 2.0


class StopRecord(TypedDict):
    """What came of stopping a model.

    Attributes
    ----------
    outcome
        ``idle`` (it did nothing), ``ended`` (its run came to its end), ``cancelled``
        (with its variables as they stood), ``reloaded`` (cancelled, and its variables
        could not be read: they are those of its source), or ``ending`` (cancelled, and
        its present operation goes on).
    waited_s
        How long it took.
    """

    name: str
    mode: str
    outcome: str
    waited_s: float
    variables: int


def stop(lifecycle: Lifecycle, *, now: bool) -> StopRecord:
    """Wait until a model does nothing any more, or cancel what it does, and say what came of it.

    What the command that asks does itself is left alone.

    Raises
    ------
    ModelStateError
        When the model was dropped.
    """
    if lifecycle.is_released:
        raise lifecycle.gone_error()
    backend, name = lifecycle.backend, lifecycle.name
    if backend is None:
        return {"name": name, "mode": lifecycle.mode, "outcome": "idle", "waited_s": 0.0, "variables": 0}
    began = time.monotonic()
    runs, cells = backend.runs.others(), lifecycle.cells.of_others()
    outcome = "idle"

    def ended() -> bool:
        present = lifecycle.cells.of_others()
        return backend.runs.ended(runs) and not any(cell in present for cell in cells)

    if runs or cells:
        if not now:
            interruptible(partial(wait_until, ended))
            outcome = "ended"
        else:
            lifecycle.cells.end(cells)
            kept = backend.cancel() if runs else True
            outcome = "cancelled" if kept else "reloaded"
            if not interruptible(partial(wait_until, ended, _END_S)):
                outcome = "ending"
    return {
        "name": name,
        "mode": backend.mode,
        "outcome": outcome,
        "waited_s": time.monotonic() - began,
        "variables": backend.weights().variables,
    }
