"""A model as plain data: a table row, and the full record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from tfmagic.execution.signature.signature import default_among
from tfmagic.runtime.session.devices import only_device

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.signature import Signature, SignatureRecord
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.model.memory.parking import Parking
    from tfmagic.model.running.caller import Caller
    from tfmagic.model.tracing.placement import PlacedDeviceRecord
    from tfmagic.runtime.calls.prepared_call import PreparedCall

# A live object may get variables at any time; counting those of a large one takes a millisecond.
_LIVE_AGE_S = 5.0


class ModelRow(TypedDict):
    """One registered model. None stands for what is not known.

    Attributes
    ----------
    state
        ``ready``, ``running``, ``stopping``, ``parked`` or ``failed``.
    device
        The device that was requested when the model was added.
    signature
        The signature that calls use by default.
    variables, weights_bytes, constants_bytes
        As in `ModelRecord`; for a parked model the values that it has once it is loaded.
    size_bytes
        Its variables and constants together.
    held_bytes
        The memory that it takes now, with the copies of variables for faster calls; 0 while it is parked.
    devices
        The devices that a traced run has shown; None before the first.
    moved
        How many operations and variables are on another device than the requested one.
    runs_on
        The devices that it runs on: those of `devices`, or the only one that there is; None where that is not known.
    can_park
        Whether ``park`` would free memory.
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
    runs_on: list[str] | None
    can_park: bool


class PreparedRecord(TypedDict):
    """How a set of fetches is run.

    Attributes
    ----------
    fetches
        Tensor names.
    way
        ``pool`` (TensorFlow's own threads), ``caller`` (the calling thread),
        ``folded`` (with variables as constants) or ``lite`` (folded, by TensorFlow Lite).
    latencies_s
        The median of each way that was tried, in seconds.
    """

    fetches: list[str]
    way: str
    latencies_s: dict[str, float]


class ModelRecord(ModelRow):
    """A model's row, and the details for a page about the model.

    Attributes
    ----------
    copied
        Whether it was copied from a live object into a graph of its own.
    path
        The path of its file; None for a live object.
    peak_awaits_trace
        Whether a traced run would give `run_peak_bytes`, which is not known yet.
    prepared
        The sets of fetches whose executor is known.
    folded_bytes
        The part of `held_bytes` for faster calls: the size of the variables that are also constants, and
        about twice that for TensorFlow Lite, which keeps them in two forms.
    stopped
        Whether a person stopped its last run.
    names
        The names that its cells have defined.
    """

    copied: bool
    path: str | None
    default_signature: str | None
    signatures: list[SignatureRecord]
    peak_awaits_trace: bool
    prepared: list[PreparedRecord]
    folded_bytes: int
    stopped: bool
    names: list[str]
    notes: list[str]


def _lite_note(prepared: Sequence[PreparedCall]) -> list[str]:
    """Return what `show` says of a warmed model for which TensorFlow Lite could not be tried."""
    from tfmagic.runtime.calls.prepared_call import FOLDED, LITE

    tried = {way for call in prepared if call.chosen is not None for way in call.chosen.latencies_s}
    if FOLDED not in tried or LITE in tried:
        return []
    from tfmagic.execution.backends.tflite import lite_is_missing

    missing = "TensorFlow Lite was not tried: there is no interpreter here that is known to work"
    return [f"{missing} (pip install ai-edge-litert)"] if lite_is_missing() else []


class Records:
    """Makes one model's row and record."""

    def __init__(self, lifecycle: Lifecycle, caller: Caller, parking: Parking) -> None:
        self._lifecycle = lifecycle
        self._caller = caller
        self._parking = parking
        self._last: tuple[object, ModelRow] | None = None

    def row(self) -> ModelRow:
        """Return the model's row; the same object as before if nothing has changed."""
        backend, state = self._lifecycle.backend, self._lifecycle.state
        age = None
        if backend is not None:
            age = int(time.monotonic() / _LIVE_AGE_S) if backend.graph is None else backend.graph.version
        version = (
            id(backend),
            state,
            age,
            self._caller.statistics.count,
            self._lifecycle.failure or self._caller.statistics.last_error,
            id(self._caller.trace),
            id(self._caller.placement),
            self._lifecycle.grew_bytes,
        )
        last = self._last
        if last is not None and last[0] == version:
            return last[1]
        row = self._row(backend)
        self._last = version, row
        return row

    def record(self) -> ModelRecord:
        """Return everything that a view shows of the model, as it is now."""
        lifecycle, caller = self._lifecycle, self._caller
        # Read once: another thread may be dropping the model.
        backend = lifecycle.backend
        _, signatures = self._weights_and_signatures(backend)
        prepared = [] if backend is None else backend.prepared
        return {
            **self._row(backend),
            "copied": lifecycle.options.copy,
            "path": lifecycle.source.where,
            "default_signature": self._default(signatures),
            "signatures": [signature.record() for signature in signatures.values()],
            "peak_awaits_trace": caller.trace is None and lifecycle.mode == "graph",
            "prepared": [
                {"fetches": list(call.fetches), "way": chosen.quickest, "latencies_s": chosen.latencies_s}
                for call, chosen in ((call, call.chosen) for call in prepared)
                if chosen is not None
            ],
            "folded_bytes": sum(call.folded_bytes for call in prepared),
            "stopped": caller.statistics.stopped,
            "names": [] if backend is None else list(backend.room.names),
            "notes": [*lifecycle.notes, *_lite_note(prepared)],
        }

    def _row(self, backend: Backend | None) -> ModelRow:
        lifecycle, caller = self._lifecycle, self._caller
        state = lifecycle.state
        weights, signatures = self._weights_and_signatures(backend)
        default = self._default(signatures)
        placement = caller.placement
        calls_bytes = 0 if backend is None else backend.calls_bytes
        return {
            "name": lifecycle.name,
            "kind": lifecycle.source.kind,
            "mode": lifecycle.mode,
            "state": state,
            "source": lifecycle.source.text,
            "device": lifecycle.options.device,
            "signature": None if default is None else signatures[default].record(),
            "variables": None if weights is None else weights.variables,
            "weights_bytes": None if weights is None else weights.variables_bytes,
            "constants_bytes": None if weights is None else weights.constants_bytes,
            "size_bytes": None if weights is None else weights.total_bytes,
            "held_bytes": 0 if weights is None or state == "parked" else weights.known_bytes + calls_bytes,
            "grew_bytes": lifecycle.grew_bytes,
            "run_peak_bytes": caller.statistics.peak_bytes,
            "calls": caller.statistics.count,
            "last_latency_s": caller.statistics.last_latency_s,
            "median_latency_s": caller.statistics.median_latency_s,
            "last_error": lifecycle.failure or caller.statistics.last_error,
            "devices": None if placement is None else placement.devices,
            "moved": None if placement is None else placement.moved,
            "runs_on": only_device() if placement is None else [place["device"] for place in placement.devices],
            "can_park": backend is not None and state == "ready" and self._parking.can_be_parked,
        }

    def _weights_and_signatures(self, backend: Backend | None) -> tuple[Weights | None, Mapping[str, Signature]]:
        if backend is None:
            return self._lifecycle.kept_summary or (None, {})
        return backend.weights(), backend.signatures

    def _default(self, signatures: Mapping[str, Signature]) -> str | None:
        if not signatures:
            return None
        return default_among(self._lifecycle.name, signatures, self._lifecycle.options.signature)
