"""Waiting for a model's calls until a deadline, or until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import tensorflow as tf

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.core.arguments import seconds
from tfmagic.errors import RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")

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
    except DEADLINE_ERRORS:
        scope = current_scope()
        if scope is None or not scope.expired:
            raise
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
