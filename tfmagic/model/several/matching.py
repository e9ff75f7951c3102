"""Whether models can be compared: the same inputs for all, and matching outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfmagic.core.naming import first_repeated
from tfmagic.errors import InputError, SourceError
from tfmagic.execution.signature.feeds import MISSING
from tfmagic.execution.signature.signature import shape_text
from tfmagic.execution.signature.tables import dataset_as_batch
from tfmagic.model.several.agreement import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.result import Result
    from tfmagic.execution.signature.signature import Shape, Signature
    from tfmagic.model.model import Model

# Matching outputs: by the first model's name for an output, each model's own name for it.
Pairing = dict[str, dict[str, str]]


def requests_for_all(
    models: Sequence[Model],
    value: Any,
    inputs: Mapping[str, Any],
    *,
    fetch: Sequence[str] | str | None,
    signature: str | None,
    prepare: Callable[[Request], Any],
) -> list[tuple[Request, Any]]:
    """Return the request to each model for the same inputs, with the result of `prepare`, which checks them.

    A single input is given to each model under the model's own name for it. Inputs that do not
    fit all of the models raise InputError, which says what each takes.
    """
    value, inputs = _read_datasets(models[0].name, models[0].signature(signature), value, inputs)
    requests: list[tuple[Request, Any]] = []
    refused: list[tuple[Model, InputError]] = []
    for model in models:
        own_value, own_inputs = _under_own_name(model.signature(signature), value, inputs)
        try:
            request = model.caller.request(own_value, own_inputs, fetch=fetch, signature=signature)
            requests.append((request, prepare(request)))
        except InputError as error:
            refused.append((model, error))
    if refused:
        raise _mismatch(models, refused, signature)
    return requests


def _read_datasets(
    model: str, signature: Signature, value: Any, inputs: Mapping[str, Any]
) -> tuple[Any, Mapping[str, Any]]:
    """Return the inputs with each dataset read into one batch: a shuffled one would differ for each model."""
    unnamed = [spec for spec in signature.inputs if spec.name not in inputs]
    read = {}
    for name, given in inputs.items():
        spec = signature.input(name)
        read[name] = dataset_as_batch(model, given, list(signature.required) if spec is None else [spec])
    return dataset_as_batch(model, value, unnamed), read


def _under_own_name(signature: Signature, value: Any, inputs: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Return the inputs; a single one loses its name if this model has another for it."""
    required = signature.required
    if len(required) != 1:
        return value, inputs
    if value is MISSING and len(inputs) == 1 and signature.input(next(iter(inputs))) is None:
        return next(iter(inputs.values())), {}
    single = isinstance(value, Mapping) and len(value) == 1 and not inputs and required[0].dtype is not None
    if single and signature.input(next(iter(value))) is None:
        return next(iter(value.values())), inputs
    return value, inputs


def _mismatch(
    models: Sequence[Model], refused: Sequence[tuple[Model, InputError]], signature: str | None
) -> InputError:
    """Return the error for inputs that some of the models do not take."""
    takes = {model.name: ", ".join(map(str, model.signature(signature).inputs)) or "no input" for model in models}
    wrong, error = refused[0]
    # If all models refuse, or take the same inputs, their difference is not the reason.
    right = next((model for model in models if takes[model.name] != takes[wrong.name]), None)
    if len(refused) == len(models) or right is None:
        return error
    pair = sorted((right, wrong), key=models.index)
    both = " and ".join(f"{model.name} takes {takes[model.name]}" for model in pair)
    return InputError(f"{both}: a comparison gives the same inputs to all ({error})")


def check_outputs_before(requests: Sequence[Request]) -> None:
    """Check before a run that outputs match, as far as they are known: those of a live object are not."""
    if all(request.fetches for request in requests):
        shapes = {
            request.model: {name: request.static_shape(own) for name, own in request.fetches} for request in requests
        }
        _paired(shapes, "gives")


def pair_outputs(results: Mapping[str, Result]) -> Pairing:
    """Return the matching outputs; none, other shapes, or numbers beside text raise SourceError."""
    shapes: dict[str, dict[str, Shape]] = {
        model: {name: getattr(value, "shape", None) for name, value in result.items()}
        for model, result in results.items()
    }
    pairing = _paired(shapes, "gave")
    for names in pairing.values():
        _check_kinds({model: (name, results[model][name]) for model, name in names.items()})
    return pairing


def _paired(shapes: Mapping[str, Mapping[str, Shape]], verb: str) -> Pairing:
    """Return the matching outputs: those of the same name, else the only one of each model."""
    first = next(iter(shapes))
    common = [name for name in shapes[first] if all(name in names for names in shapes.values())]
    if common:
        pairing = {name: dict.fromkeys(shapes, name) for name in common}
    elif all(len(names) == 1 for names in shapes.values()):
        pairing = {next(iter(shapes[first])): {model: next(iter(names)) for model, names in shapes.items()}}
    else:
        other = next(model for model, names in shapes.items() if not set(names) & set(shapes[first]))
        msg = (
            f"{first} gives {', '.join(shapes[first])} and {other} gives {', '.join(shapes[other])}: a comparison is "
            "of outputs of the same name, or of one output of each (--fetch chooses)"
        )
        raise SourceError(msg)
    for names in pairing.values():
        _check_shapes({model: (name, shapes[model][name]) for model, name in names.items()}, verb)
    return pairing


def _check_shapes(outputs: Mapping[str, tuple[str, Shape]], verb: str) -> None:
    (first, (name, shape)), *others = outputs.items()
    for model, (other_name, other) in others:
        if not _compatible(shape, other):
            msg = (
                f"{first} {verb} {name} {shape_text(shape)} and {model} {verb} {other_name} {shape_text(other)}: "
                "a comparison is of outputs of the same shape"
            )
            raise SourceError(msg)


def _check_kinds(outputs: Mapping[str, tuple[str, Any]]) -> None:
    (first, (name, value)), *others = outputs.items()
    for model, (other_name, other) in others:
        if is_number(value) != is_number(other):
            msg = (
                f"{first} gave {name} of {_kind(value)} and {model} gave {other_name} of {_kind(other)}: "
                "a comparison is of numbers with numbers, or of text with text"
            )
            raise SourceError(msg)


def _compatible(first: Shape, second: Shape) -> bool:
    if first is None or second is None:
        return True
    return len(first) == len(second) and all(
        one is None or other is None or one == other for one, other in zip(first, second, strict=True)
    )


def _kind(value: Any) -> str:
    return str(value.dtype.name) if is_number(value) else "text"


def check_names(names: Any, known: Mapping[str, Model]) -> list[Model]:
    """Return the models of a comparison; fewer than two, or one named twice, raise InputError."""
    if isinstance(names, str):
        msg = f'a comparison takes a list of models\' names, got {names!r}: write ["one", "other"]'
        raise InputError(msg)
    listed = list(names)
    twice = first_repeated(listed)
    if twice is not None:
        msg = f"{twice} is named twice: a comparison is between different models"
        raise InputError(msg)
    if len(listed) < 2:
        msg = "a comparison takes two models or more" + (f", got {listed[0]} alone" if listed else ", got none")
        raise InputError(msg)
    return [known[name] for name in listed]
