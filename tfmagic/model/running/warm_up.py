"""Warming a model up: runs on zeros, so that its calls are quick from the first one on."""

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

_ZEROS_S = 60.0
"""How long runs on zeros may take in all."""

_MANY_ROWS = 256
"""So many rows a quick network is also tried with when it is warmed."""

_WRITES = "a run changes what comes of the next one"
_LOOPS = "it has a loop whose length depends on the values of its inputs"
_UNTRACED = "it cannot be traced as a function, so nobody knows what a run changes"
_WITHOUT_WARM = "add it without --warm"


def compile_ahead(caller: Caller) -> None:
    """Have XLA compile a model for one row of input, and note how long that took.

    Raises
    ------
    SourceError
        When XLA cannot take it, or the dtype or shape of an input is not known.
    """
    reason = _why_not_on_zeros(caller)
    if reason is not None:
        _note(caller, f"it is compiled at its first call: {reason}")
        return
    zeros = _zeros(caller, "add it without --compile")
    began = time.perf_counter()
    try:
        with _zeros_scope():
            _run_once(caller, zeros)
    except RunTimeoutError:
        _give_up(caller, "compiled")
        return
    except (tf.errors.OpError, ValueError) as error:
        raise not_compiled(caller.lifecycle.name, error) from error
    took_s = time.perf_counter() - began
    _note(caller, f"compiled with its first run in {took_s:.2f} s; other shapes of input are when they come")


def warm(caller: Caller) -> None:
    """Run a model on zeros, so that its calls are quick from the first one on.

    It runs until the quickest way to call is found, and for a minute at most. It does not
    run where a run changes something, or where the inputs decide how long a loop goes on:
    zeros could keep that going without end. None of these runs counts as a call.

    Raises
    ------
    SourceError
        When it cannot be run on zeros, or the dtype or shape of an input is not known.
    """
    reason = _why_not_on_zeros(caller)
    if reason is not None:
        workers().call(caller.lifecycle.built_backend().open)
        _note(caller, f"read, and not run ahead of its first call: {reason}")
        return
    zeros = _zeros(caller, _WITHOUT_WARM)
    try:
        with _zeros_scope():
            with _refusing_zeros(caller):
                _run_once(caller, zeros)
            _find_quickest(caller)
    except RunTimeoutError:
        _give_up(caller, "warmed")


def settle(caller: Caller) -> None:
    """Find the quickest way to make a model's calls, unless it must not be run on zeros.

    Raises
    ------
    SourceError
        When it cannot be run on zeros, or the dtype or shape of an input is not known.
    """
    try:
        with _zeros_scope():
            _find_quickest(caller)
    except RunTimeoutError:
        _give_up(caller, "warmed")


def _find_quickest(caller: Caller) -> None:
    backend = caller.lifecycle.built_backend()
    if backend.graph is None:
        # TensorFlow prepares nothing for a live object.
        return
    if (reason := _why_not_on_zeros(caller)) is not None:
        _note(caller, f"not warmed: {reason}")
        return
    requests = [caller.request(zeros, {}) for zeros in (_zeros(caller, _WITHOUT_WARM), *_many_rows(caller))]
    batches = [request.feeds() for request in requests]
    with _refusing_zeros(caller):
        wait_for_call(caller.lifecycle, lambda: backend.settle(batches, requests[0].fetches))
    caller.lifecycle.is_warm = True


def _zeros(caller: Caller, advice: str, rows: int = 1) -> dict[str, Any]:
    return zeros_for(caller.lifecycle.name, caller.lifecycle.signature(), advice, rows)


def _many_rows(caller: Caller) -> list[dict[str, Any]]:
    """Return many rows of zeros, if every input takes rows."""
    first_sizes = {spec.shape[0] if spec.shape else 1 for spec in caller.lifecycle.signature().required}
    return [_zeros(caller, _WITHOUT_WARM, _MANY_ROWS)] if first_sizes == {None} else []


def _zeros_scope() -> CancelScope:
    # Without a deadline for native runs, since prepared calls have none; whoever waits ends them.
    return CancelScope(_ZEROS_S, limits_native_runs=False)


def _run_once(caller: Caller, zeros: dict[str, Any]) -> None:
    wait_for_call(caller.lifecycle, lambda: caller.run(caller.request(zeros, {}), counted=False))


@contextmanager
def _refusing_zeros(caller: Caller) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError) as error:
        msg = f"{caller.lifecycle.name} cannot be run on zeros ({first_line(error)}): {_WITHOUT_WARM}"
        raise SourceError(msg) from error


def _give_up(caller: Caller, what: str) -> None:
    """End the runs on zeros, and note that they took too long."""
    caller.lifecycle.built_backend().cancel()
    caller.lifecycle.is_warm = False
    _note(caller, f"not {what}: its runs on zeros took more than {_ZEROS_S:g} s and were ended; its calls run as usual")


def _note(caller: Caller, note: str) -> None:
    if note not in caller.lifecycle.notes:
        caller.lifecycle.notes = (*caller.lifecycle.notes, note)


def _why_not_on_zeros(caller: Caller) -> str | None:
    """Return why a model must not be run on zeros behind the person's back; None where it may.

    Raises
    ------
    SourceError
        For a live object when the dtype or shape of an input is not known.
    """
    backend, signature = caller.lifecycle.built_backend(), caller.lifecycle.signature()

    def look() -> str | None:
        try:
            with backend.run_graph(signature, partial(_zeros, caller, _WITHOUT_WARM)) as run:
                if run.writes() or run.advances():
                    return _WRITES
                return _LOOPS if run.loops_on_values() else None
        except UntraceableError:
            return _UNTRACED

    return look() if backend.concurrent else caller.alone(partial(workers().call, look))
