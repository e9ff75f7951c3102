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


def stopped(
    name: str, backend: GraphBackend | EagerBackend, cells: Callable[[], list[CancelScope]], *, now: bool
) -> StopRecord:
    """Wait until a model does nothing any more, or have that be so now, and say what came of it.

    What the command that asks does itself is left alone.

    Parameters
    ----------
    name
        The model's.
    backend
        How it runs.
    cells
        Gives the cells of other commands that run in its room.
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
            tell(name, inside)
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


def tell(name: str, cells: list[CancelScope]) -> None:
    """Have cells end: what they do next is refused, and their Python stops.

    Parameters
    ----------
    name
        The model's.
    cells
        Which.
    """
    for cell in cells:
        cell.cancel(lambda: StoppedError(stopped_text(f"model {name!r}")))
