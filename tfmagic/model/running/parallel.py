"""Calls that run at the same time, each in a thread of its own, on the process's one set of pools."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.errors import TfMagicError, first_line
from tfmagic.model.running.deadline import DEADLINE_ERRORS, timeout_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")


def run_side_by_side(models: Sequence[Lifecycle], calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run calls at the same time, and return what they gave, in their order.

    Parameters
    ----------
    models
        Whose calls they are; of one call for all of them, all.
    calls
        What to run.

    Raises
    ------
    RunTimeoutError
        At the deadline of the current scope; it names the models that had not answered.
    Exception
        What the first of those that failed raised; the others are noted.
    """
    outcomes = interruptible(partial(workers().side_by_side, calls))
    owners = [[model] for model in models] if len(calls) == len(models) else [list(models)]
    failed = [(of, error) for of, error in zip(owners, outcomes, strict=True) if isinstance(error, BaseException)]
    if not failed:
        return outcomes  # type: ignore[return-value]  # no error is among them
    scope = current_scope()
    expired = scope is not None and scope.expired
    late = [(of, error) for of, error in failed if expired and isinstance(error, DEADLINE_ERRORS)]
    if len(late) == len(failed):
        raise timeout_error([model for of, _ in failed for model in of])
    in_order = [*(one for one in failed if one not in late), *late]
    of, error = in_order[0]
    try:
        raise _with_notes(error, of, in_order[1:])
    finally:
        # The traceback refers to this frame, which refers to the error.
        del outcomes, failed, late, in_order, error


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
