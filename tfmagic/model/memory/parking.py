"""The memory of one model: parked and woken, and counted in the memory budget."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, cast

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.core.events import events
from tfmagic.errors import ModelStateError
from tfmagic.execution.room.variables import weights_of
from tfmagic.model.memory.budget import budget, bytes_in_part
from tfmagic.model.memory.park_graph import ParkGraph
from tfmagic.model.memory.park_object import ParkObject
from tfmagic.runtime.memory.container_warning import container_warning
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


class ParkRecord(TypedDict):
    """What parking a model did.

    Attributes
    ----------
    outcome
        ``parked``, or ``already``.
    freed_bytes
        The size of the variables that take no memory now; None where it is not known.
    written_bytes
        The size of the file with the variables; 0 where the source still has them.
    notes
        What will be different when the model wakes.
    """

    name: str
    outcome: str
    freed_bytes: int | None
    written_bytes: int
    notes: list[str]


class WakeRecord(TypedDict):
    """What waking a model did.

    Attributes
    ----------
    outcome
        ``woken``, or ``already``.
    took_s
        How long loading took, without warming.
    warmed
        Whether the model was warmed again, as it had been before it was parked.
    """

    name: str
    outcome: str
    weights_bytes: int | None
    took_s: float
    warmed: bool


class Parking:
    """Parks and wakes one model. It is a `Tenant` of the memory budget, and the `BuildHooks` of the lifecycle."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._loading_weights: Weights | None = None

    @property
    def weights(self) -> Weights | None:
        """The model's weights, also while it is parked; None for one that was never built."""
        if self._loading_weights is not None:
            return self._loading_weights
        backend = self._lifecycle.backend
        if backend is not None:
            return backend.weights()
        return None if self._lifecycle.kept_summary is None else self._lifecycle.kept_summary[0]

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
        """Whether the model is idle, and nothing else uses its weights."""
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

    def _strategy(self, backend: Backend) -> ParkGraph | ParkObject:
        if backend.mode == "eager":
            return ParkObject(self._lifecycle, cast("EagerBackend", backend), self._room_for)
        return ParkGraph(self._lifecycle, cast("GraphBackend", backend), self._room_for)

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return how much of one part of the budget the model takes once it is loaded."""
        weights = self.weights
        return 0 if weights is None else bytes_in_part(weights, device, named)

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return how much of one part of the budget the model takes now."""
        backend = self._lifecycle.backend
        if backend is None or backend.parked:
            return 0
        return bytes_in_part(backend.weights(), device, named, backend.calls_bytes)

    @contextmanager
    def _room_for(self, weights: Weights) -> Iterator[None]:
        """Make room in the budget for weights that are loaded in the block; no room raises MemoryBudgetError."""
        self._loading_weights = weights
        # A model that has just been loaded is not the first to be parked.
        self._lifecycle.used_at_s = time.monotonic()
        try:
            with budget().room_for(self):
                if self._lifecycle.mode == "graph":
                    # A live object has its memory already.
                    container_warning().before_load(self._lifecycle.name, weights.variables_bytes or 0)
                yield
        finally:
            self._loading_weights = None

    @defer_interrupts
    def park_if_idle(self) -> bool:
        """Park the model if it is idle at this moment; return whether it was parked."""
        try:
            with self._lifecycle.command_lock.hold(timeout_s=0.0) as held:
                if not held or not self.can_be_parked:
                    return False
                interruptible(self._park)
        except ModelStateError:
            return False
        memory_policy().give_back()
        return True

    @defer_interrupts
    def park(self) -> ParkRecord:
        """Park the model; see `Model.park`."""
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
        written_bytes, notes = self._strategy(backend).park()
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

    @defer_interrupts
    def wake(self) -> WakeRecord:
        """Load the model again, without warming it; see `Model.wake`."""
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

    def before_reading(self) -> None:
        """Refuse to build a parked model whose source has changed or is gone, with a ParkError."""
        if self._lifecycle.kept_summary is None or self._lifecycle.object_spill is not None:
            return
        change = self._lifecycle.source_change()
        if change is not None:
            raise self._lifecycle.cannot_wake_error(change)

    def room_for_graph(self, graph: Any) -> AbstractContextManager[None]:
        """Return the context in which a graph takes memory while its source is still being read."""
        return self._room_for(weights_of(graph))

    def before_opening(self, backend: Backend) -> None:
        """Make room for the backend."""
        self._strategy(backend).before_opening()

    def after_building(self) -> None:
        """Remove the file of a live object that is back, and note that the model woke."""
        if self._lifecycle.kept_summary is not None:
            events().note("woken", self.name)
        # Not right after reading it: the build could still have failed.
        self._remove_object_file()

    def after_release(self) -> None:
        """Remove the file with a live object's state."""
        self._remove_object_file()

    def _remove_object_file(self) -> None:
        spill, self._lifecycle.object_spill = self._lifecycle.object_spill, None
        if spill is not None:
            spill.remove()
