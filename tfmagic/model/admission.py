"""What adding a model under a name does: it is new, unchanged, renewed, or replaces another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tfmagic.errors import NameTakenError, RunTimeoutError

if TYPE_CHECKING:
    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.common.source import Source
    from tfmagic.model.model import Model
    from tfmagic.model.previous_version import PreviousVersionRecord

Outcome = Literal["added", "kept", "renewed", "replaced"]


@dataclass(frozen=True)
class Admission:
    """The result of adding a model: the model that now has the name, and what that did.

    Attributes
    ----------
    outcome
        ``added``, ``kept`` (unchanged), ``renewed`` (the source or its options had
        changed), or ``replaced`` (by another source).
    previous
        For a renewed model that had been trained, what became of its training.
    """

    model: Model
    outcome: Outcome
    previous: PreviousVersionRecord | None = None


def outcome_of(
    name: str, old: Model | None, source: Source, fingerprint: object, options: Options, *, replace: bool
) -> Outcome:
    """Return the outcome of adding a source under a name; a name of another source raises NameTakenError."""
    if old is None:
        return "added"
    if old.source.names_the_same(source):
        same = old.lifecycle.fingerprint == fingerprint and old.options == options and old.state != "failed"
        return "kept" if same and not old.lifecycle.is_outdated() else "renewed"
    if not replace:
        taken = old.source.text if old.source.kind in old.source.text else f"{old.source.text} ({old.source.kind})"
        msg = (
            f"the name {name!r} is taken by {taken}: choose another "
            "name, or say --replace (replace=True) to put this one in its place"
        )
        raise NameTakenError(msg)
    return "replaced"


def build_in_time(model: Model, timeout: float | None) -> None:
    """Build a model; where that takes more than `timeout` seconds, a RunTimeoutError says what it does."""
    if timeout is None:
        model.lifecycle.build()
        return
    from tfmagic.model.running.deadline import DEADLINE_ERRORS, call_scope

    with call_scope(timeout, limits_native_runs=False) as scope:
        try:
            model.lifecycle.build()
        except DEADLINE_ERRORS:
            if not scope.expired:
                raise
            msg = (
                f"{model.name} is not added: it was not loaded within {scope.timeout_s or 0:g} s, with all that it "
                "runs then, such as initialisers of tables; give it more time (--timeout S), or leave it out"
            )
            raise RunTimeoutError(msg) from None


def may_lose_training(old: Model, new: Model) -> bool:
    """Return whether renewing a model could lose training that is in no file."""
    from tfmagic.model.unsaved import is_unsaved

    if old.lifecycle.training.first_values is not None:
        return True
    # A live graph that is added again keeps its values.
    graph = None if old.lifecycle.backend is None else old.lifecycle.backend.graph
    is_the_same = new.lifecycle.backend is not None and new.lifecycle.backend.graph is graph
    return graph is not None and not is_the_same and is_unsaved(old)


def run_ahead(model: Model, *, warm: bool, lazy: bool) -> None:
    """Run a new model on zeros if it is to be compiled or warmed; a lazy one is not."""
    if lazy or not (warm or model.options.compile):
        return
    from tfmagic.model.running.warm_up import compile_ahead, warm_up

    if model.options.compile:
        compile_ahead(model.caller)
    if warm:
        warm_up(model.caller)
