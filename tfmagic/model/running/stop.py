"""``stop``: wait for what a model is doing, or cancel it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.runs import stopped_text, wait_until
from tfmagic.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.concurrency.cancel_scope import CancelScope
    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend

# Long for what was cancelled, and short for a person.
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


def stopped(
    name: str, backend: GraphBackend | EagerBackend, cells: Callable[[], list[CancelScope]], *, now: bool
) -> StopRecord:
    """Wait until a model is idle, or cancel what it does, and return what came of it.

    What the present command does itself goes on.

    Parameters
    ----------
    cells
        Gives the cells of other commands that run in the model's room.
    now
        Whether to cancel.
    """
    began = time.monotonic()
    runs, inside = backend.runs.others(), cells()
    outcome = "idle"

    def ended() -> bool:
        return backend.runs.ended(runs) and not any(cell in cells() for cell in inside)

    if runs or inside:
        if not now:
            interruptible(wait_until, ended)
            outcome = "ended"
        else:
            cancel_cells(name, inside)
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


def cancel_cells(name: str, cells: list[CancelScope]) -> None:
    """End cells of a model: what they run next is refused, and their Python code stops."""
    for cell in cells:
        cell.cancel(lambda: StoppedError(stopped_text(f"model {name!r}")))
