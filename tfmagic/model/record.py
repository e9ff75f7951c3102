"""A model as plain data: a row of a table, and the record with its details."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.execution.signature.signature import default_among

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.signature.signature import Signature, SignatureRecord
    from tfmagic.model.model import Model
    from tfmagic.model.tracing.placement import PlacedDeviceRecord

# A live object may get variables at any time, and counting those of a large one takes a millisecond.
_LIVE_AGE_S = 5.0


class ModelRow(TypedDict):
    """One registered model. None stands for what is not known.

    Attributes
    ----------
    state
        ``ready``, ``running``, ``stopping``, ``parked`` or ``failed``.
    device
        The device that was asked for when it was added.
    signature
        The one that a call uses.
    variables, weights_bytes, constants_bytes
        As in `ModelRecord`; of a parked model what it has when it is there.
    size_bytes
        Its variables and constants together.
    held_bytes
        What it takes now, of that and of the copies of variables that quicker calls use: nothing while it is parked.
    devices
        Where it is, as a traced run has shown; None before the first.
    moved
        How many operations and variables are on another device than was asked for.
    can_park
        Whether ``park`` would do anything.
    """

    name: str
    kind: str
    mode: str
    state: str
    source: str
    device: str | None
    signature: SignatureRecord | None
    variables: int | None
    weights_bytes: int | None
    constants_bytes: int | None
    size_bytes: int | None
    held_bytes: int
    grew_bytes: int | None
    run_peak_bytes: int | None
    calls: int
    last_latency_s: float | None
    median_latency_s: float | None
    last_error: str | None
    devices: list[PlacedDeviceRecord] | None
    moved: int | None
    can_park: bool


class PreparedRecord(TypedDict):
    """How a set of fetches is run.

    Attributes
    ----------
    fetches
        Tensor names.
    way
        ``pool`` (TensorFlow's own threads), ``caller`` (the thread that calls),
        ``folded`` (with variables made constants), ``unfused`` (that, every operation
        by itself) or ``lite`` (that, by TensorFlow Lite).
    latencies_s
        The median of each way that was tried, in seconds.
    """

    fetches: list[str]
    way: str
    latencies_s: dict[str, float]


class ModelRecord(ModelRow):
    """A model's row, and what only a page about this model shows.

    Attributes
    ----------
    copied
        Whether it has a graph of its own beside the live object that it came from.
    path
        Where its file is; None for a live object.
    peak_awaits_trace
        Whether `run_peak_bytes` is not known yet and a traced run would tell; a live object's never does.
    prepared
        How its calls are run, for those fetches for which that is known.
    folded_bytes
        The part of `held_bytes` that quicker calls take: the size of the variables that are constants as well, and
        for TensorFlow Lite about twice that, which keeps them in two forms.
    names
        The names of its room.
    """

    copied: bool
    path: str | None
    default_signature: str | None
    signatures: list[SignatureRecord]
    peak_awaits_trace: bool
    prepared: list[PreparedRecord]
    folded_bytes: int
    names: list[str]
    notes: list[str]


def row_of(model: Model) -> ModelRow:
    """Return a model's row: the same object as before where nothing of it has changed."""
    backend, state = model.built, model.state
    age = None
    if backend is not None:
        age = int(time.monotonic() / _LIVE_AGE_S) if backend.graph is None else backend.graph.version
    mark = (
        id(backend),
        state,
        age,
        model.calls,
        model.last_error,
        id(model.trace),
        id(model.placement),
        model.grew_bytes,
    )
    kept = model.row
    if kept is not None and kept[0] == mark:
        row: ModelRow = kept[1]
        return row
    row = _row(model, backend)
    model.row = (mark, row)
    return row


def record_of(model: Model) -> ModelRecord:
    """Return everything that a view shows of a model, as it is now."""
    # Once: another thread may be dropping the model.
    backend = model.built
    _, signatures = _weights_and_signatures(model, backend)
    prepared = [] if backend is None else backend.prepared
    return {
        **_row(model, backend),
        "copied": model.options.copy,
        "path": model.source.where,
        "default_signature": _default(model, signatures),
        "signatures": [signature.record() for signature in signatures.values()],
        "peak_awaits_trace": model.trace is None and model.mode == "graph",
        "prepared": [
            {"fetches": list(call.fetches), "way": chosen.way, "latencies_s": chosen.latencies_s}
            for call, chosen in ((call, call.chosen) for call in prepared)
            if chosen is not None
        ],
        "folded_bytes": sum(call.folded_bytes for call in prepared),
        "names": [] if backend is None else list(backend.room.names),
        "notes": list(model.notes),
    }


def _row(model: Model, backend: Any) -> ModelRow:
    state = model.state
    weights, signatures = _weights_and_signatures(model, backend)
    default = _default(model, signatures)
    trace, placement = model.trace, model.placement
    calls_bytes = 0 if backend is None else backend.calls_bytes
    return {
        "name": model.name,
        "kind": model.source.kind,
        "mode": model.mode,
        "state": state,
        "source": model.source.text,
        "device": model.options.device,
        "signature": None if default is None else signatures[default].record(),
        "variables": None if weights is None else weights.variables,
        "weights_bytes": None if weights is None else weights.variables_bytes,
        "constants_bytes": None if weights is None else weights.constants_bytes,
        "size_bytes": None if weights is None else weights.total_bytes,
        "held_bytes": 0 if weights is None or state == "parked" else weights.known_bytes + calls_bytes,
        "grew_bytes": model.grew_bytes,
        "run_peak_bytes": None if trace is None else trace.peak_bytes,
        "calls": model.calls,
        "last_latency_s": model.last_latency_s,
        "median_latency_s": model.median_latency_s,
        "last_error": model.last_error,
        "devices": None if placement is None else placement.devices,
        "moved": None if placement is None else placement.moved,
        "can_park": backend is not None and state == "ready" and model.can_be_parked,
    }


def _weights_and_signatures(model: Model, backend: Any) -> tuple[Any, Mapping[str, Signature]]:
    return model.remembered if backend is None else (backend.weights(), backend.signatures)


def _default(model: Model, signatures: Mapping[str, Signature]) -> str | None:
    return default_among(model.name, signatures, model.options.signature) if signatures else None
