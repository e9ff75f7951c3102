"""A model in one line of a live view: what is cheap to know, made anew only where something has changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from tfmagic.execution.signature.signature import default_among

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import SignatureRecord
    from tfmagic.model.model import Model
    from tfmagic.model.tracing.placement import PlacedDeviceRecord

# A live object may get variables at any time, and to count those of a large one takes a millisecond.
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


def row_of(model: Model) -> ModelRow:
    """Return a model's row: the same object as before where nothing of it has changed."""
    backend, state = model.lifecycle.backend, model.state
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
    row = _made(model, state)
    model.row = (mark, row)
    return row


def _made(model: Model, state: str) -> ModelRow:
    backend = model.lifecycle.backend
    weights, signatures = (
        (model.lifecycle.kept_summary or (None, {})) if backend is None else (backend.weights(), backend.signatures)
    )
    default = default_among(model.name, signatures, model.options.signature) if signatures else None
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
        "can_park": backend is not None and state == "ready" and model.parking.can_be_parked,
    }
