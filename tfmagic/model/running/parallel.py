"""Calls that run at the same time, each in a thread of its own, on the process's one set of pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tfmagic.concurrency.workers import workers
from tfmagic.errors import TfMagicError, first_line
from tfmagic.model.running.deadline import LATE, late

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.concurrency.cancel_scope import Patience
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")


def of_all(models: Sequence[Lifecycle], calls: Sequence[Callable[[], T]], patience: Patience) -> list[T]:
    """Run calls at the same time, and return what they gave, in their order.

    Parameters
    ----------
    models
        Whose calls they are; of one call for all of them, all.
    calls
        What to run.
    patience
        The caller's, for all of them together.

    Raises
    ------
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        What the first of those that failed raised; the others are noted.
    """
    __tracebackhide__ = True
    outcomes = workers().side_by_side(calls, patience)
    owners = [[model] for model in models] if len(calls) == len(models) else [list(models)]
    failed = [(of, error) for of, error in zip(owners, outcomes, strict=True) if isinstance(error, BaseException)]
    if not failed:
        return outcomes  # type: ignore[return-value]  # no error is among them
    tardy = [(of, error) for of, error in failed if patience.late and isinstance(error, LATE)]
    if len(tardy) == len(failed):
        raise late(patience, [model for of, _ in failed for model in of])
    in_order = [*(one for one in failed if one not in tardy), *tardy]
    of, error = in_order[0]
    try:
        raise _with_notes(error, of, in_order[1:])
    finally:
        # The traceback refers to this frame, which refers to the error.
        del outcomes, failed, tardy, in_order, error


def _with_notes(
    error: BaseException, of: Sequence[Lifecycle], others: Sequence[tuple[Sequence[Lifecycle], BaseException]]
) -> BaseException:
    """Return the error of one model with what there is to say of it and of the others that failed."""
    more = [f"{model.name} failed too: {first_line(other)}" for several, other in others for model in several]
    if isinstance(error, TfMagicError):
        # One line, that names the model by itself.
        error.args = ("; ".join([str(error), *more]),)
        return error
    if len(of) == 1:
        error.add_note(f"raised by model {of[0].name!r}")
    for other in more:
        error.add_note(other)
    return error
