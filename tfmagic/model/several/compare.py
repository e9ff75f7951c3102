"""Running several models at the same time on the same inputs, and comparing their outputs."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.entry_point import hide_own_frames
from tfmagic.core.arguments import whole_number
from tfmagic.errors import InputError
from tfmagic.execution.signature.feeds import MISSING
from tfmagic.model.registry import the_models
from tfmagic.model.running.batch_loop import BatchOutputs, run_each_batch
from tfmagic.model.running.batches import Batches, checked_batches
from tfmagic.model.running.deadline import call_scope, run_side_by_side
from tfmagic.model.several.comparison import Comparison
from tfmagic.model.several.matching import check_names, check_outputs_before, pair_outputs, requests_for_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.result import Result
    from tfmagic.execution.signature.signature import TensorSpec
    from tfmagic.model.model import Model


@hide_own_frames
def compare(
    models: Sequence[str],
    value: Any = MISSING,
    /,
    *,
    fetch: Sequence[str] | str | None = None,
    signature: str | None = None,
    batch_size: int | None = None,
    timeout: float | None = None,
    **inputs: Any,
) -> Comparison:
    """Run several models at the same time on the same inputs, and compare their outputs.

    In a notebook Ctrl-C returns at once; each model is ``stopping`` until its
    native run has ended.

    Parameters
    ----------
    models
        At least two names; the others are compared with the first.
    value
        A single input, which may have another name in each model; or a mapping of
        inputs by name.
    fetch
        Only these outputs; in a graph, any tensor by name.
    signature
        The name of the signature, if not the default one.
    batch_size
        Run this many rows of the inputs at a time, with a progress bar.
    timeout
        Give up after this many seconds.
    **inputs
        Inputs by name; a single input may have another name in each model.

    Returns
    -------
    Comparison
        The results by model name, with the table in `Comparison.table`.

    Raises
    ------
    UnknownNameError
        For an unknown model.
    InputError
        For inputs that do not fit all models; it says what each takes.
    SourceError
        For outputs that cannot be compared; it says what each model returns.
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        The error of the first model that failed, with notes about it and the others.
    """
    return compared(models, value, inputs, fetch=fetch, signature=signature, batch_size=batch_size, timeout=timeout)


@defer_interrupts
def compared(
    names: Sequence[str],
    value: Any,
    inputs: Mapping[str, Any],
    *,
    fetch: Sequence[str] | str | None = None,
    signature: str | None = None,
    batch_size: int | None = None,
    timeout: float | None = None,
) -> Comparison:
    """Compare as `compare` does, with the named inputs as a mapping."""
    models = check_names(names, the_models())
    size = None if batch_size is None else whole_number("batch_size", batch_size)

    def prepare() -> list[tuple[Request, Any]]:
        calls = requests_for_all(
            models,
            value,
            inputs,
            fetch=fetch,
            signature=signature,
            prepare=lambda request: request.feeds() if size is None else checked_batches(request, size),
        )
        check_outputs_before([request for request, _ in calls])
        return calls

    with call_scope(timeout):
        (calls,) = run_side_by_side([model.lifecycle for model in models], [prepare])
        return interruptible(_Run(models, calls).all)


class _Run:
    """One comparison under way: `calls` are the request to each model, with its feeds or `Batches`."""

    def __init__(self, models: Sequence[Model], calls: Sequence[tuple[Request, Any]]) -> None:
        self._models = models
        self._calls = calls
        self._first_calls = {model.name for model in models if not model.caller.has_run}
        self._spans = _spans({request.model: prepared for request, prepared in calls})
        self._outputs = BatchOutputs(self._spans)
        self._latencies: list[dict[str, float]] = []

    def all(self) -> Comparison:
        """Run all batches, of which there is one if nothing is split."""
        name = ",".join(model.name for model in self._models)
        return run_each_batch(name, self._spans, self._run_batch, self._outputs, self._comparison)

    def _run_batch(self, start: int, stop: int) -> None:
        calls = [
            partial(self._call, model, *call, start, stop)
            for model, call in zip(self._models, self._calls, strict=True)
        ]
        answers = run_side_by_side([model.lifecycle for model in self._models], calls)
        names = [model.name for model in self._models]
        self._latencies.append({name: seconds for name, (seconds, _) in zip(names, answers, strict=True)})
        results = {name: result for name, (_, result) in zip(names, answers, strict=True)}
        if not self._outputs:
            pair_outputs(results)  # outputs that cannot be compared end the run at its first batch
        self._outputs.add(results)

    def _call(self, model: Model, request: Request, prepared: Any, start: int, stop: int) -> tuple[float, Result]:
        feeds = prepared.next_feeds(start, stop) if isinstance(prepared, Batches) else prepared
        if _is_compiled_now(request, feeds):
            self._first_calls.add(model.name)
        began = time.perf_counter()
        result = model.caller.run(request, feeds)
        return time.perf_counter() - began, result

    def _comparison(self) -> Comparison:
        """Return the comparison of the batches so far."""
        results = self._outputs.joined()
        batches = self._latencies[: len(self._outputs)]
        latencies = {model: sum(seconds[model] for seconds in batches) for model in results}
        return Comparison(results, latencies, self._first_calls)


def _is_compiled_now(request: Request, feeds: Sequence[tuple[TensorSpec, np.ndarray]]) -> bool:
    """Return whether the call is the first of a compiled model with inputs of these shapes."""
    compiled = request.backend.compiled
    if compiled is None:
        return False
    return compiled.is_new([str(spec.tensor) for spec, _ in feeds], [array for _, array in feeds])


def _spans(prepared: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the batches, the same for every model; inputs that not all models can split raise InputError."""
    batches = {model: inputs for model, inputs in prepared.items() if isinstance(inputs, Batches)}
    if not batches:
        return [(0, 1)]
    totals = {model: inputs.total for model, inputs in batches.items()}
    if len(set(totals.values())) > 1:
        listed = " and ".join(f"{total} for {model}" for model, total in totals.items())
        msg = f"these inputs have a different number of rows to split for each model: {listed}"
        raise InputError(msg)
    return next(iter(batches.values())).spans()
