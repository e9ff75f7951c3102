"""Warming a model up: runs on zeros, so that its first call is already fast."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.workers import workers
from tfmagic.errors import RunTimeoutError, SourceError, first_line
from tfmagic.execution.backends.eager import UntraceableError
from tfmagic.execution.backends.xla import not_compiled
from tfmagic.execution.signature.feeds import zeros_for
from tfmagic.model.running.deadline import wait_for_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.model.running.caller import Caller

# How long all runs on zeros together may take.
_ZEROS_S = 60.0
# A fast network is also tried with this many rows.
_MANY_ROWS = 256

_WRITES = "a run changes what comes of the next one"
_LOOPS = "it has a loop whose length depends on the values of its inputs"
_UNTRACED = "it cannot be traced as a function, so nobody knows what a run changes"
_WITHOUT_WARM = "add it without --warm"


def compile_ahead(caller: Caller) -> None:
    """Have XLA compile a model for one row of input, and note how long that took.

    A model that XLA cannot compile, or an input of unknown dtype or shape, raises SourceError.
    """
    reason = _why_not_on_zeros(caller)
    if reason is not None:
        caller.lifecycle.add_note(f"it is compiled at its first call: {reason}")
        return
    zeros = _zeros(caller, "add it without --compile")
    began = time.perf_counter()
    with _runs_on_zeros(caller, "compiled"):
        try:
            _run_once(caller, zeros)
        except (tf.errors.OpError, ValueError) as error:
            raise not_compiled(caller.lifecycle.name, error) from error
        took_s = time.perf_counter() - began
        caller.lifecycle.add_note(
            f"compiled with its first run in {took_s:.2f} s; another shape of input is compiled when it comes"
        )


def warm_up(caller: Caller) -> None:
    """Run a model on zeros until its fastest executor is found, for a minute at most.

    A model is not run if a run changes something, or if its inputs decide the length of a loop,
    which zeros could make endless. These runs do not count as calls. A model that cannot be run
    on zeros, or an input of unknown dtype or shape, raises SourceError.
    """
    reason = _why_not_on_zeros(caller)
    if reason is not None:
        workers().call(caller.lifecycle.built_backend().open)
        caller.lifecycle.add_note(f"read, and not run ahead of its first call: {reason}")
        return
    zeros = _zeros(caller, _WITHOUT_WARM)
    with _runs_on_zeros(caller, "warmed"):
        with _refusing_zeros(caller):
            _run_once(caller, zeros)
        _find_fastest(caller)


def choose_executors(caller: Caller) -> None:
    """Find the fastest executor for a built model; the errors are those of `warm_up`."""
    with _runs_on_zeros(caller, "warmed"):
        _find_fastest(caller)


def _find_fastest(caller: Caller) -> None:
    backend = caller.lifecycle.built_backend()
    if backend.graph is None:
        # A live object has no executors to choose from.
        return
    if (reason := _why_not_on_zeros(caller)) is not None:
        caller.lifecycle.add_note(f"not warmed: {reason}")
        return
    inputs = [_zeros(caller, _WITHOUT_WARM)]
    required = caller.lifecycle.signature().required
    if required and all(spec.shape and spec.shape[0] is None for spec in required):
        inputs.append(_zeros(caller, _WITHOUT_WARM, _MANY_ROWS))
    requests = [caller.request(zeros, {}) for zeros in inputs]
    batches = [request.feeds() for request in requests]
    with _refusing_zeros(caller):
        wait_for_call(caller.lifecycle, lambda: backend.choose_executor(batches, requests[0].fetches))
    caller.lifecycle.is_warm = True


def _zeros(caller: Caller, advice: str, rows: int = 1) -> dict[str, Any]:
    return zeros_for(caller.lifecycle.name, caller.lifecycle.signature(), advice, rows)


@contextmanager
def _runs_on_zeros(caller: Caller, purpose: str) -> Iterator[None]:
    """Cancel the runs in the block when they take too long, and note that."""
    # Native runs get no deadline, as in prepared calls; the waiting thread cancels them.
    try:
        with CancelScope(_ZEROS_S, limits_native_runs=False):
            yield
    except RunTimeoutError:
        caller.lifecycle.built_backend().cancel()
        caller.lifecycle.is_warm = False
        caller.lifecycle.add_note(
            f"not {purpose}: its runs on zeros took more than {_ZEROS_S:g} s and were ended; its calls run as usual"
        )


def _run_once(caller: Caller, zeros: dict[str, Any]) -> None:
    wait_for_call(caller.lifecycle, lambda: caller.run(caller.request(zeros, {}), counted=False))


@contextmanager
def _refusing_zeros(caller: Caller) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError) as error:
        name = caller.lifecycle.name
        reason = first_line(error).replace(f": {name}: ", ": ")
        msg = f"{name} cannot be run on zeros ({reason}): {_WITHOUT_WARM}"
        raise SourceError(msg) from error


def _why_not_on_zeros(caller: Caller) -> str | None:
    """Return why a model must not be run on zeros unasked; None where it may.

    An input of a live object of unknown dtype or shape raises SourceError.
    """
    backend, signature = caller.lifecycle.built_backend(), caller.lifecycle.signature()

    def reason() -> str | None:
        try:
            with backend.graph_of_run(signature, partial(_zeros, caller, _WITHOUT_WARM)) as run:
                if run.writes() or run.advances():
                    return _WRITES
                return _LOOPS if run.loops_on_values() else None
        except UntraceableError:
            return _UNTRACED

    return reason() if backend.concurrent else caller.alone(partial(workers().call, reason))
