"""Running several models at the same time on the same inputs, and comparing what they give."""

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
from tfmagic.model.running.batches import Batches, Parts
from tfmagic.model.running.deadline import call_scope, checked_batches, each_batch
from tfmagic.model.running.parallel import run_side_by_side
from tfmagic.model.several.comparison import Comparison
from tfmagic.model.several.matching import asked_of_all, check_names, paired_after, paired_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    """Run several models at the same time on the same inputs, and compare what they give.

    In a notebook Ctrl-C comes back at once; each model is ``stopping`` until its
    native run has ended.

    Parameters
    ----------
    models
        Two names or more; the others are compared with the first.
    value
        The one input, whatever each model calls it; or a mapping of inputs by name.
    fetch
        Only these outputs; in a graph, any tensor by name.
    signature
        Another than the default one.
    batch_size
        Run so many rows of the inputs at a time, with a progress bar.
    timeout
        Seconds after which to give up.
    **inputs
        Inputs by name; a single one goes to every model whatever its name.

    Returns
    -------
    Comparison
        The results by model name, with the table in `Comparison.table`.

    Raises
    ------
    UnknownNameError
        For a model that is not there.
    InputError
        For inputs that do not go to all models; it says what each takes.
    SourceError
        For outputs that do not go together; it says what each gives.
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        Whatever the first of the models that failed raised, with a note that names
        it; others that failed are noted too.
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

    def asked() -> list[tuple[Request, Any]]:
        ready = asked_of_all(
            models,
            value,
            inputs,
            fetch=fetch,
            signature=signature,
            prepared=lambda request: request.feeds() if size is None else checked_batches(request, size),
        )
        paired_before([request for request, _ in ready])
        return ready

    with call_scope(timeout):
        (ready,) = run_side_by_side([model.lifecycle for model in models], [asked])
        return interruptible(_Run(models, ready).all)


class _Run:
    """One comparison on its way."""

    def __init__(self, models: Sequence[Model], ready: Sequence[tuple[Request, Any]]) -> None:
        self._models = models
        self._ready = ready
        self._first_calls = {model.name for model in models if not model.caller.has_run}
        self._spans = _spans({request.model: prepared for request, prepared in ready})
        self._parts = Parts(self._spans)
        self._latencies: list[dict[str, float]] = []

    def all(self) -> Comparison:
        """Run all batches, of which there is one where nothing is split."""
        name = ",".join(model.name for model in self._models)
        return each_batch(name, self._spans, self._batch, self._parts, self._so_far)

    def _batch(self, start: int, stop: int) -> None:
        calls = [partial(self._answer, model, *ready, start, stop) for model, ready in self._paired()]
        answers = dict(
            zip(
                [model.name for model in self._models],
                run_side_by_side([model.lifecycle for model in self._models], calls),
                strict=True,
            )
        )
        self._latencies.append({model: seconds for model, (seconds, _) in answers.items()})
        results = {model: result for model, (_, result) in answers.items()}
        if not self._parts:
            paired_after(results)  # what does not go together is not run to the end first
        self._parts.add(results)

    def _paired(self) -> Iterator[tuple[Model, tuple[Request, Any]]]:
        yield from zip(self._models, self._ready, strict=True)

    def _answer(self, model: Model, request: Request, prepared: Any, start: int, stop: int) -> tuple[float, Result]:
        feeds = prepared.take(start, stop) if isinstance(prepared, Batches) else prepared
        if _is_compiled_now(request, feeds):
            self._first_calls.add(model.name)
        began = time.perf_counter()
        result = model.caller.run(request, feeds)
        return time.perf_counter() - began, result

    def _so_far(self) -> Comparison:
        results = self._parts.joined()
        batches = self._latencies[: len(self._parts)]
        latencies = {model: sum(seconds[model] for seconds in batches) for model in results}
        return Comparison(results, latencies, self._first_calls)


def _is_compiled_now(request: Request, feeds: Sequence[tuple[TensorSpec, np.ndarray]]) -> bool:
    """Return whether the call is the first of a compiled model with inputs of these shapes."""
    compiled = request.backend.compiled
    return compiled is not None and compiled.is_new([str(spec.tensor) for spec, _ in feeds], [one for _, one in feeds])


def _spans(prepared: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the batches, the same for every model; one where nothing is split.

    Raises
    ------
    InputError
        When one model splits inputs that go whole to another.
    """
    batches = {model: one for model, one in prepared.items() if isinstance(one, Batches)}
    if not batches:
        return [(0, 1)]
    totals = {model: one.total for model, one in batches.items()}
    if len(set(totals.values())) > 1:
        listed = " and ".join(f"{total} for {model}" for model, total in totals.items())
        msg = f"these inputs have a different number of rows to split for each model: {listed}"
        raise InputError(msg)
    return next(iter(batches.values())).spans()
