"""``park`` and ``wake``: a model gives its tensor memory back for a while, and keeps its name."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.entry_point import entry_point
from tfmagic.core.events import events
from tfmagic.errors import ModelStateError
from tfmagic.execution.room.variables import weights_of
from tfmagic.model.memory.footprint import Footprint
from tfmagic.model.memory.park_graph import ParkGraph
from tfmagic.model.memory.park_object import ParkObject
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.runtime.state.spill import Spill


class ParkRecord(TypedDict):
    """What came of parking a model.

    Attributes
    ----------
    outcome
        ``parked``, or ``already``.
    freed_bytes
        The size of the variables that take no memory now; None where it is not known.
    written_bytes
        The size of the file that they went into; 0 where the source gives them again.
    notes
        What does not come back as it was.
    """

    name: str
    outcome: str
    freed_bytes: int | None
    written_bytes: int
    notes: list[str]


class WakeRecord(TypedDict):
    """What came of waking a model.

    Attributes
    ----------
    outcome
        ``woken``, or ``already``.
    took_s
        How long it took until it could be run, warming not included.
    warmed
        Whether it was warmed again, as it had been before it was parked.
    """

    name: str
    outcome: str
    weights_bytes: int | None
    took_s: float
    warmed: bool


class ParkStrategy(Protocol):
    """How one kind of backend is parked."""

    @property
    def stays_because(self) -> str | None:
        """Why it cannot be parked, in a few words; None where it can."""

    def before_opening(self) -> None:
        """Act before the backend takes its memory."""

    def park(self, weights: Weights) -> tuple[int, list[str]]:
        """Give the memory back; return the bytes written, and notes of what does not come back."""

    def wake(self) -> None:
        """Take the memory again."""


class Parking:
    """Parks and wakes one model; the memory budget's tenant.

    Attributes
    ----------
    footprint : Footprint
        What the model takes of the budget.
    object_spill : Spill or None
        The file with the state of a live object that was let go.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.footprint = Footprint(lifecycle)
        self.object_spill: Spill | None = None
        self._lifecycle = lifecycle

    # -- the tenant ------------------------------------------------------------

    @property
    def name(self) -> str:
        """The model's name."""
        return self._lifecycle.name

    @property
    def used_at_s(self) -> float:
        """When the model was last used, on the monotonic clock."""
        return self._lifecycle.used_at_s

    @property
    def can_be_parked(self) -> bool:
        """Whether the model is idle, and its weights belong to it alone."""
        return self._lifecycle.state == "ready" and self._stays_because is None

    @property
    def why_it_stays(self) -> str:
        """Why the model is not parked, in a few words."""
        state = self._lifecycle.state
        return self._stays_because or {"ready": "just in use", "parked": "just waking"}.get(state, state)

    @property
    def _stays_because(self) -> str | None:
        backend = self._lifecycle.backend
        return None if backend is None else self._strategy(backend).stays_because

    def _strategy(self, backend: Backend) -> ParkStrategy:
        """Return how this backend is parked."""
        room_for = partial(self.footprint.room_for, tenant=self)
        if backend.mode == "eager":
            return ParkObject(self._lifecycle, self, cast("EagerBackend", backend), room_for)
        return ParkGraph(self._lifecycle, cast("GraphBackend", backend), room_for)

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return what the model takes of one part of the budget once it is loaded."""
        return self.footprint.bytes_wanted(device, named)

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return what the model takes of one part of the budget now."""
        return self.footprint.bytes_held(device, named)

    @defer_interrupts
    def park_if_idle(self) -> bool:
        """Park the model if nothing uses it at this moment; return whether it is parked now."""
        try:
            with self._lifecycle.command_lock.hold(timeout_s=0.0) as held:
                if not held or not self.can_be_parked:
                    return False
                interruptible(self._park)
        except ModelStateError:
            return False
        memory_policy().give_back()
        return True

    # -- park --------------------------------------------------------------------

    @entry_point
    def park(self) -> ParkRecord:
        """Give back all tensor memory until the model is next run; its name and signatures stay.

        Where the source gives the same weights again, nothing is written. Otherwise they go
        into a file of the park directory, with everything that training needs.

        Raises
        ------
        ModelStateError
            For a live object, which is the notebook's, and while the model runs.
        ParkError
            When the file cannot be written; the model is as it was.
        """
        with self._lifecycle.command_lock.hold():
            record = interruptible(self._park)
        if record["outcome"] != "already":
            memory_policy().give_back()
        return record

    def _park(self) -> ParkRecord:
        name = self.name
        if self._lifecycle.is_released:
            raise self._lifecycle.gone_error()
        backend, state = self._lifecycle.backend, self._lifecycle.state
        record: ParkRecord = {"name": name, "outcome": "already", "freed_bytes": 0, "written_bytes": 0, "notes": []}
        if backend is None or backend.parked:
            return record
        if state != "ready":
            msg = f"{name} is {state}, and only an idle model can be parked: %tf_model stop {name} waits for it"
            raise ModelStateError(msg)
        weights = backend.weights()
        park_directory().remove_on_sigterm()
        written_bytes, notes = self._strategy(backend).park(weights)
        if self._lifecycle.is_warm:
            notes.append(f"it was warmed: %tf_model wake {name} warms it again, a run alone does not")
        events().note("parked", name)
        return {
            "name": name,
            "outcome": "parked",
            "freed_bytes": weights.variables_bytes,
            "written_bytes": written_bytes,
            "notes": notes,
        }

    # -- wake --------------------------------------------------------------------

    @defer_interrupts
    def wake(self) -> WakeRecord:
        """Take the memory again, so that the next run need not.

        Raises
        ------
        ParkError
            When what was parked is not what was written.
        SourceError
            When the source has changed since.
        MemoryBudgetError
            When the model does not fit into the budget.
        """
        with self._lifecycle.command_lock.hold():
            was_parked = self._lifecycle.state == "parked"
            began = time.perf_counter()
            backend = self._lifecycle.built_backend()
            self._strategy(backend).wake()
            return {
                "name": self.name,
                "outcome": "woken" if was_parked else "already",
                "weights_bytes": backend.weights().variables_bytes,
                "took_s": time.perf_counter() - began,
                "warmed": False,
            }

    # -- hooks of the lifecycle ------------------------------------------------------

    def before_reading(self) -> None:
        """Refuse to build a parked model from a source that has changed.

        Raises
        ------
        ParkError
            When it has changed, or is gone.
        """
        if self._lifecycle.kept_summary is None or self.object_spill is not None:
            return
        change = self._lifecycle.source_change()
        if change is not None:
            raise self._lifecycle.cannot_wake_error(change)

    def room_for_graph(self, graph: Any) -> AbstractContextManager[None]:
        """Return the context in which a graph takes its memory while its source is still being read."""
        return self.footprint.room_for(weights_of(graph), self)

    def before_opening(self, backend: Backend) -> None:
        """Make room for the backend."""
        self._strategy(backend).before_opening()

    def after_building(self) -> None:
        """Remove the file of a live object that is back, and note a model that woke."""
        if self._lifecycle.kept_summary is not None:
            events().note("woken", self.name)
        # Not when it was read: until here building could fail, or be interrupted.
        self._remove_spill()

    def after_release(self) -> None:
        """Remove the file of a live object."""
        self._remove_spill()

    def _remove_spill(self) -> None:
        spill, self.object_spill = self.object_spill, None
        if spill is not None:
            spill.remove()
