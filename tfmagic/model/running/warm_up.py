"""A trial run: the model once on zeros, to warm it or to see where it runs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.concurrency.cancel_scope import Patience
from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError, RunTimeoutError, SourceError, TfMagicError
from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.backends.xla import not_compiled
from tfmagic.model.running.deadline import patience_of, waited_for
from tfmagic.model.running.statistics import first_line
from tfmagic.model.tracing.placement import Placement, unknown
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.graph.fed_values import loops_on_values
from tfmagic.runtime.graph.side_effects import may_write, stateful_operation
from tfmagic.runtime.tensorflow.private import collected_graphs
from tfmagic.runtime.tensorflow.tf1_switches import eagerly
from tfmagic.runtime.tracing.eager_profile import profiled
from tfmagic.runtime.tracing.partition_graphs import placed, requested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tfmagic.execution.signature.signature import Signature
    from tfmagic.model.model import Model
    from tfmagic.model.tracing.placement import PlacementRecord

_ON_ZEROS = "one run on zeros"
_MADE_UP_S = 60.0
"""How long runs on made-up numbers may take in all."""

_WRITES = "a run changes what comes of the next one"
_LOOPS = "it has a loop whose length depends on the values of its inputs"
_UNTRACED = "it cannot be traced as a function, so nobody knows what a run changes"

_MANY = 256
"""So many rows a network that is quick is tried with, too, when it is warmed."""


def zeros_for(model: Model, advice: str, rows: int = 1) -> dict[str, Any]:
    """Return an array of zeros for each input that a call needs, with 1 for every free size.

    Parameters
    ----------
    model
        The model.
    advice
        What to do instead where that cannot be known.
    rows
        What stands for a first size that is free.

    Raises
    ------
    SourceError
        When the dtype or shape of an input is not known.
    """
    zeros: dict[str, Any] = {}
    for spec in model.signature().required:
        if spec.dtype is None or spec.shape is None:
            msg = f"{model.name} cannot be run on zeros: the shape of its input {spec.name!r} is not known; {advice}"
            raise SourceError(msg)
        shape = tuple((1 if axis else rows) if size is None else size for axis, size in enumerate(spec.shape))
        dtype = tf.as_dtype(spec.dtype).as_numpy_dtype
        zeros[spec.name] = np.full(shape, "", object) if spec.dtype == "string" else np.zeros(shape, dtype)
    return zeros


def compiled(model: Model) -> None:
    """Have XLA compile a model for one row of input, and note how long that took.

    Raises
    ------
    SourceError
        When XLA cannot take it, or the dtype or shape of an input is not known.
    """
    reason = _why_not_made_up(model)
    if reason is not None:
        model.notes = (*model.notes, f"it is compiled at its first call: {reason}")
        return
    zeros = zeros_for(model, "add it without --compile")
    began = time.perf_counter()
    patience = Patience(_MADE_UP_S)
    try:
        _run_once(model, zeros, patience)
    except RunTimeoutError:
        _give_up(model, "compiled")
        return
    except (tf.errors.OpError, ValueError) as error:
        raise not_compiled(model.name, error) from error
    took_s = time.perf_counter() - began
    model.notes = (
        *model.notes,
        f"compiled with its first run in {took_s:.2f} s; other shapes of input are when they come",
    )


def warmed(model: Model) -> None:
    """Run a model on zeros, so that its calls are quick from the first one on.

    It runs as often as it takes to find the quickest way, and for a minute at most. It does
    not run where a run changes something, or where a loop goes on for as long as the inputs
    say: made-up inputs could keep it going without end. None of these runs counts as a call.

    Raises
    ------
    SourceError
        When it cannot be run on zeros, or the dtype or shape of an input is not known.
    """
    reason = _why_not_made_up(model)
    if reason is not None:
        backend = model.backend_now()
        if isinstance(backend, GraphBackend):
            workers().call(backend.open)
        model.notes = (*model.notes, f"read, and not run ahead of its first call: {reason}")
        return
    zeros = zeros_for(model, "add it without --warm")
    patience = Patience(_MADE_UP_S)
    try:
        with _takes_zeros(model):
            _run_once(model, zeros, patience)
    except RunTimeoutError:
        _give_up(model, "warmed")
        return
    settle(model, patience)


@contextmanager
def _takes_zeros(model: Model) -> Iterator[None]:
    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError) as error:
        msg = f"{model.name} cannot be run on zeros ({first_line(error)}): add it without --warm"
        raise SourceError(msg) from error


def _give_up(model: Model, what: str) -> None:
    """End the runs on made-up numbers, and note that they took too long."""
    model.backend_now().cancel()
    model.is_warmed = False
    _note(
        model, f"not {what}: its runs on zeros took more than {_MADE_UP_S:g} s and were ended; its calls run as usual"
    )


def _note(model: Model, note: str) -> None:
    if note not in model.notes:
        model.notes = (*model.notes, note)


def _run_once(model: Model, zeros: dict[str, Any], patience: Patience) -> None:
    # Without the deadline: the call is prepared then, and whoever waits ends it.
    waited_for(model, lambda: model.answer(model.asked(zeros, {}), counted=False), patience)


def settle(model: Model, patience: Patience | None = None) -> None:
    """Find out how a model's calls are the quickest, by calls on zeros, unless it must not be run on them.

    None of them counts.

    Parameters
    ----------
    model
        The model.
    patience
        How long that may take; a minute if None.

    Raises
    ------
    SourceError
        When it cannot be run on zeros, or the dtype or shape of an input is not known.
    """
    backend = model.backend_now()
    if isinstance(backend, EagerBackend):
        return
    if (reason := _why_not_made_up(model)) is not None:
        _note(model, f"not warmed: {reason}")
        return
    patience = patience or Patience(_MADE_UP_S)
    zeros = zeros_for(model, "add it without --warm")
    asked = [model.asked(given, {}) for given in (zeros, *_many(model))]
    batches = [request.feeds() for request in asked]
    try:
        with _takes_zeros(model):
            waited_for(model, lambda: backend.settle(batches, asked[0].fetches, patience), patience)
    except RunTimeoutError:
        _give_up(model, "warmed")
        return
    model.is_warmed = True


def _why_not_made_up(model: Model) -> str | None:
    """Return why a model must not be run on made-up numbers; None where it may be.

    Raises
    ------
    SourceError
        For a live object of which the dtype or shape of an input is not known.
    """
    backend = model.backend_now()
    if isinstance(backend, EagerBackend):
        zeros = zeros_for(model, "add it without --warm")
        with model.command_lock.hold(call=True):
            return workers().call(partial(_why_not_made_up_live, backend, model.signature(), zeros))
    outputs = [output.tensor for output in model.signature().outputs if output.tensor is not None]
    if may_write(backend.graph, outputs) or stateful_operation(backend.graph, outputs):
        return _WRITES
    return _LOOPS if loops_on_values(backend.graph, _fed(model.signature()), outputs) else None


def _why_not_made_up_live(backend: EagerBackend, signature: Signature, zeros: dict[str, Any]) -> str | None:
    """Return the same for a live object, as a trace of it shows; the object itself is not run."""
    with eagerly(), backend.reserved(), backend.placed():
        try:
            _, graph, given = _traced(backend, signature, zeros)
        except Exception:  # noqa: BLE001 - the person's code, which may raise anything
            return _UNTRACED
    names = [op.name for op in graph.get_operations()]
    if may_write(graph, names) or stateful_operation(graph, names):
        return _WRITES
    return _LOOPS if loops_on_values(graph, given, None) else None


def _fed(signature: Signature) -> list[str]:
    return [spec.tensor for spec in signature.inputs if spec.tensor is not None]


def _many(model: Model) -> list[dict[str, Any]]:
    """Return many rows of zeros, if that is what every input takes."""
    first = {spec.shape[0] if spec.shape else 1 for spec in model.signature().required}
    return [zeros_for(model, "add it without --warm", _MANY)] if first == {None} else []


def placement(model: Model, *, most: int | None = None, anew: bool = False) -> PlacementRecord:
    """Return where a model's operations and variables were asked to be, and where they are.

    Where no run has shown it yet, the model is run once on zeros, unless it is parked:
    a question does not bring its weights back.

    Parameters
    ----------
    model
        The model.
    most
        How many operations to give at most; all if None.
    anew
        Whether to run it on zeros also where a run has shown it.
    """
    if anew or model.placement is None:
        if model.state == "parked":
            return unknown(model.name, f"it is parked; %tf_model wake {model.name} brings it back")
        try:
            trial(model)
        except TfMagicError as error:
            return unknown(model.name, str(error))
    found = model.placement
    return unknown(model.name, "its last run has not shown it") if found is None else found.record(model.name, most)


def trial(model: Model) -> None:
    """Run a model once on zeros, and keep the trace and what it shows of where each operation runs.

    Raises
    ------
    ModelStateError
        When a run could change the model, or what comes of the next one.
    SourceError
        When the dtype or shape of an input is not known, or a live object cannot be
        traced as a function, of which alone TensorFlow tells where it runs.
    """
    advice = f"%tf_run {model.name} INPUTS --trace tells with inputs of yours"
    backend = model.backend_now()
    if isinstance(backend, EagerBackend):
        zeros = zeros_for(model, "where a live object runs is told by a run on zeros")
        with model.command_lock.hold(call=True):
            model.placement = workers().call(partial(_live, model.name, backend, model.signature(), zeros))
            model.placement.known_from = _ON_ZEROS
        return
    zeros = zeros_for(model, advice)
    outputs = [output.tensor for output in model.signature().outputs if output.tensor is not None]
    if may_write(backend.graph, outputs):
        raise _would_change(model.name, advice)
    if (kind := stateful_operation(backend.graph, outputs)) is not None:
        raise _would_differ(model.name, kind, advice)
    if loops_on_values(backend.graph, _fed(model.signature()), outputs):
        raise _could_loop(model.name, advice)
    request, patience = model.asked(zeros, {}), patience_of(None)
    # None of the person's calls: their number and their times stay as they are.
    waited_for(model, lambda: model.answer(request, patience=patience, trace=True, counted=False), patience)
    if model.placement is not None:
        model.placement.known_from = _ON_ZEROS


def _live(name: str, backend: EagerBackend, signature: Signature, zeros: dict[str, Any]) -> Placement:
    """Run a live object as a new function: TensorFlow tells where one runs when it is first run."""
    with eagerly(), backend.reserved(), backend.placed():
        try:
            run, graph, given = _traced(backend, signature, zeros)
        except Exception as error:
            reason = first_line(error)
            msg = f"{name} cannot be traced as a function, of which alone TensorFlow tells where it runs ({reason})"
            raise SourceError(msg) from error
        names, advice = [op.name for op in graph.get_operations()], f"%tf_model show {name} tells what it is"
        if may_write(graph, names):
            raise _would_change(name, advice)
        if (kind := stateful_operation(graph, names, is_new_trace=True)) is not None:
            raise _would_differ(name, kind, advice)
        if loops_on_values(graph, given, None):
            raise _could_loop(name, advice)
        with collected_graphs() as graphs, profiled() as executions:
            began = time.perf_counter()
            run()
            wall_s = time.perf_counter() - began
    trace = Trace(name, backend.mode, wall_s, executions)
    return Placement(placed(graphs), requested(graph), trace, backend.weights().by_variable, eager=True)


def _traced(
    backend: EagerBackend, signature: Signature, zeros: dict[str, Any]
) -> tuple[Callable[[], Any], Any, list[str]]:
    """Trace a live object as a new function.

    Returns
    -------
    tuple
        What runs that function on the zeros, its graph, and the names of what it is given
        there, without the variables that it has itself.
    """
    given = {spec.tensor or spec.name: tf.constant(zeros[spec.name]) for spec in signature.required}
    function = tf.function(lambda tensors: backend.invoke(signature.name, tensors), autograph=False)
    traced = function.get_concrete_function(given)
    own = len(traced.inputs) - len(traced.captured_inputs)
    return partial(function, given), traced.graph, [tensor.name for tensor in traced.inputs[:own]]


def _would_change(name: str, advice: str) -> ModelStateError:
    return ModelStateError(f"{name} is not run on zeros, for a run changes its variables; {advice}")


def _would_differ(name: str, kind: str, advice: str) -> ModelStateError:
    return ModelStateError(f"{name} is not run on zeros, for its {kind} would change the next run; {advice}")


def _could_loop(name: str, advice: str) -> ModelStateError:
    return ModelStateError(f"{name} is not run on zeros, for {_LOOPS}; {advice}")
