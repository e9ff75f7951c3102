"""``stop``: wait for a model's runs and cells, or cancel them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.runs import wait_until

if TYPE_CHECKING:
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

# Long for a cancelled run, and short for a person.
_END_S = 2.0


class StopRecord(TypedDict):
    """What stopping a model did.

    Attributes
    ----------
    outcome
        ``idle`` (nothing was running), ``ended`` (the run has ended), ``cancelled``
        (the variables kept their values), ``reloaded`` (cancelled, and the variables
        could not be read: they have the values of the source), or ``ending``
        (cancelled, and the present operation goes on).
    """

    name: str
    mode: str
    outcome: str
    waited_s: float
    variables: int


def stop(lifecycle: Lifecycle, *, now: bool) -> StopRecord:
    """Wait until a model is idle, or cancel its runs; runs of the calling command itself are left alone."""
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
            interruptible(wait_until, ended)
            outcome = "ended"
        else:
            lifecycle.cells.end(cells)
            kept = backend.cancel() if runs else True
            outcome = "cancelled" if kept else "reloaded"
            if not interruptible(wait_until, ended, _END_S):
                outcome = "ending"
    return {
        "name": name,
        "mode": backend.mode,
        "outcome": outcome,
        "waited_s": time.monotonic() - began,
        "variables": backend.weights().variables,
    }
