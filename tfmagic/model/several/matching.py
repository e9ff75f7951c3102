"""Whether models can be compared: the same inputs for all, and outputs that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfmagic.errors import InputError, SourceError
from tfmagic.execution.signature.feeds import MISSING
from tfmagic.execution.signature.signature import shape_text
from tfmagic.execution.signature.tables import dataset_as_batch
from tfmagic.model.several.agreement import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.result import Result
    from tfmagic.execution.signature.signature import Shape, Signature, TensorSpec
    from tfmagic.model.model import Model

Pairing = dict[str, dict[str, str]]
"""Outputs that belong together: under the first model's name for it, each model's own."""


def asked_of_all(
    models: Sequence[Model],
    value: Any,
    inputs: Mapping[str, Any],
    *,
    fetch: Sequence[str] | str | None,
    signature: str | None,
    prepared: Callable[[Request], Any],
) -> list[tuple[Request, Any]]:
    """Return the request to each model for the same inputs, with what `prepared` makes of it.

    A single input is given to each model under the model's own name for it.

    Parameters
    ----------
    models
        Which, two or more.
    value, inputs, fetch, signature
        As for `Model.run`, with the named inputs as a mapping.
    prepared
        Looks at a request's inputs, and raises ``InputError`` where they do not fit.

    Raises
    ------
    InputError
        For inputs that do not go to all of the models; it says what each takes.
    """
    first = models[0]
    value, inputs = _read_once(first.name, first.signature(signature), value, inputs)
    asked: list[tuple[Request, Any]] = []
    refused: list[tuple[Model, InputError]] = []
    for model in models:
        own_value, own_inputs = _under_own_name(model.signature(signature), value, inputs)
        try:
            request = model.caller.request(own_value, own_inputs, fetch=fetch, signature=signature)
            asked.append((request, prepared(request)))
        except InputError as error:
            refused.append((model, error))
    if refused:
        raise _mismatch(models, refused, signature)
    return asked


def _read_once(
    model: str, signature: Signature, value: Any, inputs: Mapping[str, Any]
) -> tuple[Any, Mapping[str, Any]]:
    """Return the inputs with each dataset joined: read again, a shuffled one would be another."""
    left = [spec for spec in signature.inputs if spec.name not in inputs]
    only = list(signature.required)
    read = {
        name: dataset_as_batch(model, one, [spec for spec in signature.inputs if spec.name == name] or only)
        for name, one in inputs.items()
    }
    return dataset_as_batch(model, value, left), read


def _under_own_name(signature: Signature, value: Any, inputs: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Return the inputs with a single one without the name that another model has for it."""
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
    takes = {model.name: _listed(model.signature(signature).inputs) for model in models}
    wrong, error = refused[0]
    # Where all refuse, or those that do take just the same, the reason is not the difference.
    right = next((model for model in models if takes[model.name] != takes[wrong.name]), None)
    if len(refused) == len(models) or right is None:
        return error
    pair = sorted((right, wrong), key=models.index)
    said = " and ".join(f"{model.name} takes {takes[model.name]}" for model in pair)
    return InputError(f"{said}: a comparison gives the same inputs to all ({error})")


def paired_before(requests: Sequence[Request]) -> Pairing | None:
    """Return which outputs belong together as far as that is known before a run.

    Returns
    -------
    dict or None
        None where a live object's outputs are known after its call only.

    Raises
    ------
    SourceError
        When there are none, or their shapes cannot be the same.
    """
    if not all(request.fetches for request in requests):
        return None
    shapes = {request.model: _static_shapes(request) for request in requests}
    pairing = _paired(shapes)
    for names in pairing.values():
        _check_shapes({model: (name, shapes[model][name]) for model, name in names.items()}, "gives")
    return pairing


def paired_after(results: Mapping[str, Result]) -> Pairing:
    """Return which outputs belong together, now that they are there.

    Raises
    ------
    SourceError
        When there are none, or they differ in shape, or only one is numbers.
    """
    shapes: dict[str, dict[str, Shape]] = {
        model: {name: getattr(value, "shape", None) for name, value in result.items()}
        for model, result in results.items()
    }
    pairing = _paired(shapes)
    for names in pairing.values():
        _check_shapes({model: (name, shapes[model][name]) for model, name in names.items()}, "gave")
        _check_kinds({model: (name, results[model][name]) for model, name in names.items()})
    return pairing


def _paired(outputs: Mapping[str, Mapping[str, Shape]]) -> Pairing:
    first = next(iter(outputs))
    common = [name for name in outputs[first] if all(name in names for names in outputs.values())]
    if common:
        return {name: dict.fromkeys(outputs, name) for name in common}
    if all(len(names) == 1 for names in outputs.values()):
        return {next(iter(outputs[first])): {model: next(iter(names)) for model, names in outputs.items()}}
    other = next(model for model, names in outputs.items() if not set(names) & set(outputs[first]))
    msg = (
        f"{first} gives {', '.join(outputs[first])} and {other} gives {', '.join(outputs[other])}: a comparison is "
        "of outputs of the same name, or of one output of each (--fetch chooses)"
    )
    raise SourceError(msg)


def _static_shapes(request: Request) -> dict[str, Shape]:
    return {name: request.static_shape(own) for name, own in request.fetches}


def _check_shapes(outputs: Mapping[str, tuple[str, Shape]], verb: str) -> None:
    first, *others = outputs
    name, shape = outputs[first]
    for model in others:
        other_name, other = outputs[model]
        if not _compatible(shape, other):
            msg = (
                f"{first} {verb} {name} {shape_text(shape)} and {model} {verb} {other_name} {shape_text(other)}: "
                "a comparison is of outputs of the same shape"
            )
            raise SourceError(msg)


def _check_kinds(outputs: Mapping[str, tuple[str, Any]]) -> None:
    first, *others = outputs
    name, value = outputs[first]
    for model in others:
        other_name, other = outputs[model]
        if is_number(value) != is_number(other):
            msg = (
                f"{first} gave {name} of {_kind(value)} and {model} gave {other_name} of {_kind(other)}: "
                "a comparison is of numbers with numbers, or of text with text"
            )
            raise SourceError(msg)


def _compatible(one: Shape, other: Shape) -> bool:
    if one is None or other is None:
        return True
    return len(one) == len(other) and all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _kind(value: Any) -> str:
    return str(value.dtype.name) if is_number(value) else "text"


def _listed(ends: Sequence[TensorSpec]) -> str:
    return ", ".join(str(end) for end in ends) or "no input"


def check_names(names: Any, known: Mapping[str, Model]) -> list[Model]:
    """Return the models of a comparison.

    Raises
    ------
    InputError
        For fewer than two, or one named twice.
    UnknownNameError
        For one that is not there; the nearest is offered.
    """
    if isinstance(names, str):
        msg = f'a comparison takes a list of models\' names, got {names!r}: write ["one", "other"]'
        raise InputError(msg)
    listed = list(names)
    twice = next((name for index, name in enumerate(listed) if name in listed[:index]), None)
    if twice is not None:
        msg = f"{twice} is named twice: a comparison is between different models"
        raise InputError(msg)
    if len(listed) < 2:
        msg = "a comparison takes two models or more" + (f", got {listed[0]} alone" if listed else ", got none")
        raise InputError(msg)
    return [known[name] for name in listed]
