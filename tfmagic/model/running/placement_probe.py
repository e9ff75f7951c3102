"""Where a model's operations run, as shown by its last traced run or by a run on zeros."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError, SourceError, TfMagicError
from tfmagic.execution.backends.eager import UntraceableError
from tfmagic.execution.signature.feeds import zeros_for
from tfmagic.model.running.deadline import wait_for_call
from tfmagic.model.tracing.placement import Placement, unknown
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.tensorflow.private import collected_graphs
from tfmagic.runtime.tracing.eager_profile import profiled
from tfmagic.runtime.tracing.partition_graphs import placed_operations, requested_devices
from tfmagic.runtime.tracing.step_stats import RunProfile

if TYPE_CHECKING:
    from tfmagic.execution.backends.backend import GraphOfRun
    from tfmagic.model.running.caller import Caller
    from tfmagic.model.tracing.placement import PlacementRecord


def placement(caller: Caller, *, most: int | None = None, again: bool = False) -> PlacementRecord:
    """Return the requested and actual devices of a model's variables and of its `most` first operations.

    Where no run has shown them, or with `again`, the model is run once on zeros. A parked model
    stays parked.
    """
    name = caller.lifecycle.name
    if again or caller.placement is None:
        if caller.lifecycle.state == "parked":
            return unknown(name, f"it is parked; %tf_model wake {name} brings it back")
        try:
            probe(caller)
        except TfMagicError as error:
            return unknown(name, str(error))
    shown = caller.placement
    return unknown(name, "its last run has not shown it") if shown is None else shown.record(name, most)


def probe(caller: Caller) -> None:
    """Run a model once on zeros, and keep the placement that this shows.

    A run that could change the model, or the result of the next run, raises ModelStateError. An
    input of unknown dtype or shape raises SourceError, and so does a live object that cannot be
    traced as a function: TensorFlow reports placement for functions only.
    """
    if caller.lifecycle.built_backend().graph is None:
        caller.placement = caller.alone(partial(workers().call, partial(_object_placement, caller)))
    else:
        _probe_graph(caller)
    if caller.placement is not None:
        caller.placement.known_from = "one run on zeros"


def _probe_graph(caller: Caller) -> None:
    lifecycle = caller.lifecycle
    advice = f"%tf_run {lifecycle.name} INPUTS --trace tells with inputs of yours"
    signature = lifecycle.signature()
    zeros = zeros_for(lifecycle.name, signature, advice)
    with lifecycle.built_backend().graph_of_run(signature, lambda: zeros) as run:
        _refuse_effects(lifecycle.name, run, advice)
    request = caller.request(zeros, {})
    # Not a call of the person's, so it is not counted.
    wait_for_call(lifecycle, lambda: caller.run(request, trace=True, counted=False))


def _object_placement(caller: Caller) -> Placement:
    """Run a live object as a new function: TensorFlow reports a function's placement at its first run."""
    name, signature = caller.lifecycle.name, caller.lifecycle.signature()
    backend = caller.lifecycle.built_backend()
    zeros = zeros_for(name, signature, "where a live object runs is told by a run on zeros")
    try:
        with backend.graph_of_run(signature, lambda: zeros) as run:
            _refuse_effects(name, run, f"%tf_model show {name} tells what it is", new_function=True)
            with collected_graphs() as graphs, profiled() as executions:
                began = time.perf_counter()
                if run.call is not None:
                    run.call()
                wall_s = time.perf_counter() - began
            trace = Trace(name, backend.mode, RunProfile(wall_s, executions))
            variables = backend.weights().by_variable
            return Placement(placed_operations(graphs), requested_devices(run.graph), trace, variables, eager=True)
    except UntraceableError as error:
        msg = f"{name} cannot be traced as a function, of which alone TensorFlow tells where it runs ({error})"
        raise SourceError(msg) from error


def _refuse_effects(name: str, run: GraphOfRun, advice: str, *, new_function: bool = False) -> None:
    """Raise ModelStateError where a run on zeros would change the model, or could be endless."""
    refusal = f"{name} is not run on zeros"
    if run.writes():
        msg = f"{refusal}: a run changes its variables; {advice}"
        raise ModelStateError(msg)
    if (kind := run.advances(new_function=new_function)) is not None:
        msg = f"{refusal}: that would advance its {kind}, and change what the next run gives; {advice}"
        raise ModelStateError(msg)
    if run.loops_on_values():
        msg = f"{refusal}: it has a loop whose length depends on the values of its inputs; {advice}"
        raise ModelStateError(msg)
