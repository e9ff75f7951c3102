"""A model as plain data: what every view draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.execution.signature.signature import default_among

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import SignatureRecord
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.model.running.caller import Caller


class PreparedRecord(TypedDict):
    """How a set of fetches is run.

    Attributes
    ----------
    fetches
        Tensor names.
    way
        ``pool`` (TensorFlow's own threads), ``caller`` (the thread that calls),
        ``folded`` (with variables made constants) or ``lite`` (that, by TensorFlow Lite).
    latencies_s
        The median of each way that was tried, in seconds.
    """

    fetches: list[str]
    way: str
    latencies_s: dict[str, float]


class ModelRecord(TypedDict):
    """One registered model. None stands for what is not known.

    Attributes
    ----------
    weights_bytes
        The size of its variables.
    constants_bytes
        The size of the constants in its graph, where a frozen one has its weights.
    held_bytes
        What it takes now: these, and what its prepared calls hold (two copies of the constants for each executor,
        and `folded_bytes`). Nothing while it is parked.
    grew_bytes
        By how much the process's resident memory grew when it was built, measured;
        what other threads took meanwhile is in it. None where it became smaller.
    run_peak_bytes
        The most that its last traced run had taken at one time, beside the weights.
    peak_awaits_trace
        Whether that is not known yet, and a traced run would tell; a live object's never does.
    prepared
        How its calls are run, for those fetches for which that is known.
    folded_bytes
        The size of the variables that are constants as well, so that calls are quicker, and for TensorFlow Lite
        about twice that, as it keeps them in two forms; a part of `held_bytes`.
    copied
        Whether it has a graph of its own beside the live object that it came from.
    """

    name: str
    kind: str
    copied: bool
    mode: str
    state: str
    source: str
    path: str | None
    device: str | None
    default_signature: str | None
    signatures: list[SignatureRecord]
    variables: int | None
    weights_bytes: int | None
    constants_bytes: int | None
    held_bytes: int
    grew_bytes: int | None
    run_peak_bytes: int | None
    peak_awaits_trace: bool
    prepared: list[PreparedRecord]
    folded_bytes: int
    names: list[str]
    calls: int
    last_latency_s: float | None
    median_latency_s: float | None
    last_error: str | None
    notes: list[str]


def record_of(lifecycle: Lifecycle, caller: Caller) -> ModelRecord:
    """Return what a view shows of a model, as plain data."""
    # Read once: another thread may be dropping the caller.
    backend = lifecycle.backend
    if backend is None:
        weights, signatures = lifecycle.kept_summary or (None, {})
    else:
        weights, signatures = backend.weights(), backend.signatures
    default = default_among(lifecycle.name, signatures, lifecycle.options.signature) if signatures else None
    state = lifecycle.state
    prepared = [] if backend is None else backend.prepared
    calls_bytes = 0 if backend is None else backend.calls_bytes
    return {
        "name": lifecycle.name,
        "kind": lifecycle.source.kind,
        "copied": lifecycle.options.copy,
        "mode": lifecycle.mode,
        "state": state,
        "source": lifecycle.source.text,
        "path": lifecycle.source.where,
        "device": lifecycle.options.device,
        "default_signature": default,
        "signatures": [signature.record() for signature in signatures.values()],
        "variables": None if weights is None else weights.variables,
        "weights_bytes": None if weights is None else weights.variables_bytes,
        "constants_bytes": None if weights is None else weights.constants_bytes,
        "held_bytes": 0 if weights is None or state == "parked" else weights.known_bytes + calls_bytes,
        "grew_bytes": lifecycle.grew_bytes,
        "run_peak_bytes": None if caller.trace is None else caller.trace.peak_bytes,
        "peak_awaits_trace": caller.trace is None and lifecycle.mode == "graph",
        "prepared": [
            {"fetches": list(call.fetches), "way": chosen.quickest, "latencies_s": chosen.latencies_s}
            for call, chosen in ((call, call.chosen) for call in prepared)
            if chosen is not None
        ],
        "folded_bytes": sum(call.folded_bytes for call in prepared),
        "names": [] if backend is None else list(backend.room.names),
        "calls": caller.calls,
        "last_latency_s": caller.last_latency_s,
        "median_latency_s": caller.median_latency_s,
        "last_error": lifecycle.failure or caller.last_error,
        "notes": list(lifecycle.notes),
    }
