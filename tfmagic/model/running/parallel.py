"""Calls that run at the same time, each in its own thread."""

from __future__ import annotations

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
    """Run calls at the same time, and return their results in order.

    Parameters
    ----------
    models
        The model of each call; for a single call all models that it uses.

    Raises
    ------
    RunTimeoutError
        At the deadline of the current scope; it names the models that had not answered.
    Exception
        The error of the first call that failed, with notes about the others.
    """
    outcomes = interruptible(workers().side_by_side, calls)
    owners = [[model] for model in models] if len(calls) == len(models) else [list(models)]
    failed = [(owner, error) for owner, error in zip(owners, outcomes, strict=True) if isinstance(error, BaseException)]
    if not failed:
        return outcomes  # type: ignore[return-value]  # no error is among them
    scope = current_scope()
    expired = scope is not None and scope.expired
    late = [(owner, error) for owner, error in failed if expired and isinstance(error, DEADLINE_ERRORS)]
    if len(late) == len(failed):
        raise timeout_error([model for owner, _ in failed for model in owner])
    in_order = [*(failure for failure in failed if failure not in late), *late]
    owner, error = in_order[0]
    try:
        raise _with_notes(error, owner, in_order[1:])
    finally:
        # The traceback refers to this frame, which refers to the error.
        del outcomes, failed, late, in_order, error


def _with_notes(
    error: BaseException, owner: Sequence[Lifecycle], others: Sequence[tuple[Sequence[Lifecycle], BaseException]]
) -> BaseException:
    """Return an error with notes about its model and the others that failed."""
    more = [f"{model.name} failed too: {first_line(other)}" for models, other in others for model in models]
    if isinstance(error, TfMagicError):
        # These are shown as one line, which already names the model.
        error.args = ("; ".join([str(error), *more]),)
        return error
    if len(owner) == 1:
        error.add_note(f"raised by model {owner[0].name!r}")
    for note in more:
        error.add_note(note)
    return error
