"""Models that run at the same time, each in a thread of its own, on the process's one set of pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.errors import InputError, TfMagicError
from tfmagic.model.calls import first_line
from tfmagic.model.registry import the_models
from tfmagic.model.waiting import LATE, late, patience_of
from tfmagic.runtime.worker import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.model.model import Model
    from tfmagic.runtime.patience import Patience

T = TypeVar("T")


def run_all(inputs: Mapping[str, Any], /, *, timeout: float | None = None) -> dict[str, Any]:
    """Run several models at the same time, each on its own input, and return the results by model name.

    Every input is checked before anything runs. In a notebook Ctrl-C comes back at
    once; each model is ``stopping`` until its native run has ended.

    Parameters
    ----------
    inputs
        For each model's name its one input, or a mapping of its inputs by name; an
        empty mapping for a model that takes none.
    timeout
        Seconds after which to give up.

    Returns
    -------
    dict
        By model name the array where the model has one output, else all by name.

    Raises
    ------
    UnknownNameError
        For a model that is not there.
    InputError
        For an input that does not fit.
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        Whatever the first of the models that failed raised, with a note that names
        it; others that failed are noted too.
    """
    __tracebackhide__ = True
    if not hasattr(inputs, "items"):
        msg = f'run_all takes a mapping, {{"model": input}}, got {type(inputs).__name__}'
        raise InputError(msg)
    known = the_models()
    models = [known[name] for name in inputs]
    patience = patience_of(timeout)

    def asked() -> list[Any]:
        __tracebackhide__ = True
        requests = [model.asked(inputs[model.name], {}) for model in models]
        return [(request, request.feeds()) for request in requests]

    ready = of_all(models, [asked], patience)[0] if models else []
    calls = [
        lambda model=model, request=request, feeds=feeds: model.answer(request, feeds, patience=patience)
        for model, (request, feeds) in zip(models, ready, strict=True)
    ]
    results = of_all(models, calls, patience)
    return {
        model.name: next(iter(result.values())) if len(result) == 1 else result
        for model, result in zip(models, results, strict=True)
    }


def of_all(models: Sequence[Model], calls: Sequence[Callable[[], T]], patience: Patience) -> list[T]:
    """Run calls at the same time, and return what they gave, in their order.

    Parameters
    ----------
    models
        Whose calls they are; of one call for all of them, all.
    calls
        What to run.
    patience
        The caller's, for all of them together.

    Raises
    ------
    RunTimeoutError
        At the deadline; it names the models that had not answered.
    Exception
        What the first of those that failed raised; the others are noted.
    """
    __tracebackhide__ = True
    outcomes = workers().side_by_side(calls, patience)
    owners = [[model] for model in models] if len(calls) == len(models) else [list(models)]
    failed = [(of, error) for of, error in zip(owners, outcomes, strict=True) if isinstance(error, BaseException)]
    if not failed:
        return outcomes  # type: ignore[return-value]  # no error is among them
    tardy = [(of, error) for of, error in failed if patience.late and isinstance(error, LATE)]
    if len(tardy) == len(failed):
        raise late(patience, [model for of, _ in failed for model in of])
    in_order = [*(one for one in failed if one not in tardy), *tardy]
    of, error = in_order[0]
    try:
        raise _with_notes(error, of, in_order[1:])
    finally:
        # The traceback refers to this frame, which refers to the error.
        del outcomes, failed, tardy, in_order, error


def _with_notes(
    error: BaseException, of: Sequence[Model], others: Sequence[tuple[Sequence[Model], BaseException]]
) -> BaseException:
    """Return the error of one model with what there is to say of it and of the others that failed."""
    more = [f"{model.name} failed too: {first_line(other)}" for several, other in others for model in several]
    if isinstance(error, TfMagicError):
        # One line, that names the model by itself.
        error.args = ("; ".join([str(error), *more]),)
        return error
    if len(of) == 1:
        error.add_note(f"raised by model {of[0].name!r}")
    for other in more:
        error.add_note(other)
    return error
