"""Waiting for calls of one or several models until a deadline, or until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import tensorflow as tf

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.core.arguments import seconds
from tfmagic.core.notices import notices
from tfmagic.errors import MemoryBudgetError, RunTimeoutError, TfMagicError, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")

# The commands that were told that their models run one after the other; each batch would say so.
_told: WeakSet[CancelScope] = WeakSet()

# What a call raises after the deadline of its scope.
DEADLINE_ERRORS = (TimeoutError, tf.errors.DeadlineExceededError)


def call_scope(timeout: Any, *, limits_native_runs: bool = True) -> CancelScope:
    """Return a cancel scope with a timeout from now on; one that is no number above 0 raises InputError."""
    timeout_s = None if timeout is None else seconds("timeout", timeout)
    return CancelScope(timeout_s, limits_native_runs=limits_native_runs)


def wait_for_call(lifecycle: Lifecycle, call: Callable[[], T]) -> T:
    """Run `call`, which calls the model, in a worker, and return its result.

    The deadline of the current scope raises RunTimeoutError, Ctrl-C KeyboardInterrupt at once.
    """
    try:
        return interruptible(workers().call, call)
    except KeyboardInterrupt:
        lifecycle.statistics.stopped = True
        raise
    except DEADLINE_ERRORS:
        scope = current_scope()
        if scope is None or not scope.expired:
            raise
        lifecycle.statistics.late(scope)
        raise timeout_error([lifecycle]) from None


def timeout_error(models: Sequence[Lifecycle]) -> RunTimeoutError:
    """Return the error for models that had not answered by the deadline of the current scope."""
    scope = current_scope()
    timeout_s = (scope and scope.timeout_s) or 0
    names = " and ".join(model.name for model in models)
    msg = f"{names}: no answer within {timeout_s:g} s"
    stopping = " and ".join(model.name for model in models if model.state == "stopping")
    loading = " and ".join(model.name for model in models if model.backend is None)
    if stopping:
        msg += f"; {stopping} is stopping until the present operation ends (%tf_model stop {stopping} waits for it)"
    elif loading:
        msg += f"; {loading} is still loading"
    else:
        msg += "; the run has ended, and the model can be run again"
    return RunTimeoutError(msg)


def run_side_by_side(models: Sequence[Lifecycle], calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run calls at the same time, each in its own thread, and return their results in order.

    `models` are the model of each call, or for a single call all models that it uses. Models that
    have no room beside each other in the memory budget run one after the other. The error
    is that of the first call that failed, with notes about the others. At the deadline of the
    current scope it is a RunTimeoutError, which names the models that had not answered.
    """
    try:
        outcomes = interruptible(workers().side_by_side, calls)
    except KeyboardInterrupt:
        for model in models:
            model.statistics.stopped = model.statistics.stopped or model.state == "stopping"
        raise
    if len(models) > 1 and len(calls) == len(models):
        _run_in_turn(models, calls, outcomes)
    owners = [[model] for model in models] if len(calls) == len(models) else [list(models)]
    failed = [(owner, error) for owner, error in zip(owners, outcomes, strict=True) if isinstance(error, BaseException)]
    if not failed:
        return outcomes  # type: ignore[return-value]  # no error is among them
    scope = current_scope()
    expired = scope is not None and scope.expired
    late = [(owner, error) for owner, error in failed if expired and isinstance(error, DEADLINE_ERRORS)]
    for owner, _ in late:
        # Of a call that uses several models, nobody knows which was late.
        if scope is not None and len(owner) == 1:
            owner[0].statistics.late(scope)
    if len(late) == len(failed):
        raise timeout_error([model for owner, _ in failed for model in owner])
    in_order = [*(failure for failure in failed if failure not in late), *late]
    owner, error = in_order[0]
    try:
        raise _with_notes(error, owner, in_order[1:])
    finally:
        # The traceback refers to this frame, which refers to the error.
        del outcomes, failed, late, in_order, error


def _run_in_turn(
    models: Sequence[Lifecycle], calls: Sequence[Callable[[], T]], outcomes: list[T | BaseException]
) -> None:
    """Make each call again that had no room while others ran: these are idle now, and can be parked for it."""
    waiting = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, MemoryBudgetError)]
    for at in waiting:
        (outcomes[at],) = interruptible(workers().side_by_side, [calls[at]])
    scope = current_scope()
    command = None if scope is None else scope.root
    if command not in _told and any(not isinstance(outcomes[at], MemoryBudgetError) for at in waiting):
        if command is not None:
            _told.add(command)
        names = " and ".join(model.name for model in models)
        notices().show(
            f"{names} have no room beside each other in the memory budget: they ran one after the other, "
            "and were parked in between"
        )


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
