"""Waiting for a model's calls: up to a deadline, through Ctrl-C, batch after batch."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import tensorflow as tf

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.core.arguments import seconds
from tfmagic.errors import InputError, InterruptedRun, RunTimeoutError
from tfmagic.model.running.batches import Batches, Parts, rows_text
from tfmagic.model.running.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.result import Result
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.model.running.caller import Caller

T = TypeVar("T")
R = TypeVar("R", bound="Mapping[str, Any]")

DEADLINE_ERRORS = (TimeoutError, tf.errors.DeadlineExceededError)
"""What a call raises after the deadline of its scope."""


def call_scope(timeout: Any, *, limits_native_runs: bool = True) -> CancelScope:
    """Return a cancel scope with a caller's timeout, from now on.

    Raises
    ------
    InputError
        When the timeout is no number of seconds above 0.
    """
    timeout_s = None if timeout is None else seconds("timeout", timeout)
    return CancelScope(timeout_s, limits_native_runs=limits_native_runs)


def wait_for_call(lifecycle: Lifecycle, call: Callable[[], T]) -> T:
    """Return what `call` gives, which calls the model and may take place in a worker.

    Raises
    ------
    RunTimeoutError
        At the deadline of the current scope.
    KeyboardInterrupt
        At once.
    """
    try:
        return interruptible(partial(workers().call, call))
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


def run_in_batches(caller: Caller, request: Request, size: int) -> Result:
    """Make a call in batches of rows, and return the outputs joined on the first axis.

    Parameters
    ----------
    caller
        Calls the model.
    request
        What is asked of it.
    size
        How many rows a batch has.

    Raises
    ------
    InterruptedRun
        At once at Ctrl-C, with the outputs of the batches that had ended.
    RunTimeoutError
        At the deadline, likewise.
    InputError
        Before anything runs: for inputs that cannot be split, or do not fit.
    SourceError
        After the first batch: for an output that cannot be joined.
    """
    batches = wait_for_call(caller.lifecycle, lambda: checked_batches(request, size))
    parts = Parts(batches.spans())
    name = caller.lifecycle.name

    def run(start: int, stop: int) -> None:
        parts.add({name: wait_for_call(caller.lifecycle, lambda: caller.run(request, batches.take(start, stop)))})

    done: Result = each_batch(
        caller.lifecycle.name, batches.spans(), run, parts, lambda: parts.joined()[caller.lifecycle.name]
    )
    return done


def checked_batches(request: Request, size: int) -> Batches:
    """Return the inputs of a request in batches, each of which has been looked at.

    The errors are those of `Batches` and its ``check``.
    """
    batches = Batches(request, size)
    batches.check()
    return batches


def each_batch(
    name: str,
    spans: Sequence[tuple[int, int]],
    run: Callable[[int, int], None],
    done: Parts,
    result: Callable[[], R],
) -> R:
    """Run batch after batch under a progress bar, and return the result.

    Parameters
    ----------
    name
        What is run, for the bar and for messages.
    spans
        The first row of each batch, and the row after its last.
    run
        Runs one batch and keeps what it gives.
    done
        Counts the batches that have ended.
    result
        Gives the result of the batches so far; called once there is one.

    Raises
    ------
    InterruptedRun, RunTimeoutError
        With the result of the batches that had ended by then.
    """
    total = spans[-1][1]
    several = len(spans) > 1
    try:
        with progress(total, name) if several else nullcontext() as bar:
            for start, stop in spans:
                _noting_rows(run, start, stop, total if several else None)
                if bar is not None:
                    bar.update(stop - start)
        return result()
    except KeyboardInterrupt:
        if not several:
            raise
        stopped = InterruptedRun(f"{name} was stopped {_after(done)}")
        stopped.partial, stopped.rows = result() if done else None, done.text
        raise stopped from None
    except RunTimeoutError as error:
        if several:
            error.partial, error.rows = result() if done else None, done.text
            error.args = (f"{error} (it came {_after(done)})",)
        raise


def _after(done: Parts) -> str:
    return f"after {done.text}" if done else "before the first batch had ended"


def _noting_rows(run: Callable[[int, int], None], start: int, stop: int, total: int | None) -> None:
    """Run a batch; where it is one of several, say in the error which rows it had."""
    try:
        run(start, stop)
    except (InputError, RunTimeoutError):
        raise
    except Exception as error:
        if total is not None:
            error.add_note(f"raised for {rows_text(start, stop, total)}")
        raise
