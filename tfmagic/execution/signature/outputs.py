"""Which outputs a call returns, and whether its inputs suffice for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.execution.signature.feeds import missing_inputs_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tfmagic.execution.signature.signature import Signature


def outputs_given(model: str, signature: Signature, given: Collection[str]) -> list[tuple[str, str]]:
    """Return the outputs of a call that names none, each with the backend's name for it.

    Of an inferred signature these are the outputs for which the given inputs suffice.
    """
    outputs = signature.outputs
    if signature.needs:
        lacks = [signature.needs.get(spec.name, frozenset()) - set(given) for spec in outputs]
        outputs = tuple(spec for spec, lacking in zip(outputs, lacks, strict=True) if not lacking)
        if not outputs:
            fewest: frozenset[str] = min(lacks, key=len)
            raise missing_inputs_error(model, fewest, signature)
    else:
        require(model, signature, (spec.name for spec in signature.required), given)
    return [(spec.name, spec.tensor or spec.name) for spec in outputs]


def require(model: str, signature: Signature, needed: Iterable[str], given: Collection[str]) -> None:
    """Refuse a call that lacks an input."""
    lacking = [name for name in needed if name not in given]
    if lacking:
        raise missing_inputs_error(model, lacking, signature)
