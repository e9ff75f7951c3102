"""``run_all``: several models at the same time, each on its own input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.entry_point import entry_point
from tfmagic.errors import InputError
from tfmagic.model.registry import the_models
from tfmagic.model.running.deadline import call_scope, run_side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping


@entry_point
def run_all(inputs: Mapping[str, Any], /, *, timeout: float | None = None) -> dict[str, Any]:
    """Run several models at the same time, each on its own input, and return the results by model name.

    Every input is checked before anything runs. In a notebook Ctrl-C returns at
    once; each model is ``stopping`` until its native run has ended.

    Parameters
    ----------
    inputs
        By model name its single input, or a mapping of its inputs by name; an
        empty mapping for a model that takes none.
    timeout
        Give up after this many seconds.

    Returns
    -------
    dict
        By model name the array of its single output, else all outputs by name.

    Raises
    ------
    UnknownNameError
        For an unknown model.
    InputError
        For an input that does not fit.
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        The error of the first model that failed, with notes about it and the others.
    """
    if not hasattr(inputs, "items"):
        msg = f'run_all takes a mapping, {{"model": input}}, got {type(inputs).__name__}'
        raise InputError(msg)
    known = the_models()
    models = [known[name] for name in inputs]

    def prepare() -> list[Any]:
        requests = [model.caller.request(inputs[model.name], {}) for model in models]
        return [(request, request.feeds()) for request in requests]

    with call_scope(timeout):
        prepared = run_side_by_side([model.lifecycle for model in models], [prepare])[0] if models else []
        calls = [
            lambda model=model, request=request, feeds=feeds: model.caller.run(request, feeds)
            for model, (request, feeds) in zip(models, prepared, strict=True)
        ]
        results = run_side_by_side([model.lifecycle for model in models], calls)
    return {
        model.name: next(iter(result.values())) if len(result) == 1 else result
        for model, result in zip(models, results, strict=True)
    }
