"""What a model takes of the memory budget, now and when it is there."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.execution.room.variables import weights_of
from tfmagic.model.memory.budget import budget, shares
from tfmagic.model.running.caller import Answers
from tfmagic.runtime.memory.container_warning import container_warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Any

    from tfmagic.concurrency.command_lock import CommandLock
    from tfmagic.execution.room.variables import VariableRecord, Weights
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import Source


class Tenancy(Answers):
    """A model that takes its part of a budget; how it gives it up is told by what builds on this.

    Attributes
    ----------
    used_at_s : float
        When it was last built, called, or a cell ran in its room; on the monotonic clock.
    """

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock | None = None) -> None:
        super().__init__(name, source, options, command_lock)
        self._remembered: tuple[Weights, dict[str, Signature]] | None = None

    @property
    def can_be_parked(self) -> bool:
        """Whether it is idle, and its weights are nobody's but its own."""
        return self.state == "ready" and self._stays_because() is None

    @property
    def why_it_stays(self) -> str:
        """Why it is not parked, in a few words."""
        state = self.state
        return self._stays_because() or {"ready": "just in use", "parked": "just waking"}.get(state, state)

    def _stays_because(self) -> str | None:
        """Return why it cannot be parked, in a few words; None where it can."""
        return None

    def park_if_idle(self) -> bool:
        """Park it if nothing is done with it at this moment; return whether it is parked now."""
        return False

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return what it takes of one part of the budget when it is there; see `budget.shares`."""
        weights = self._weights()
        return 0 if weights is None else _shares(weights, device, named)

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return what it takes of one part of the budget now."""
        backend = self._backend
        if backend is None or backend.parked:
            return 0
        return _shares(backend.weights(), device, named, backend.calls_bytes)

    @property
    def remembered(self) -> tuple[Weights | None, dict[str, Signature]]:
        """What a parked model weighs when it is there, and its signatures; nothing of one that was never built."""
        return self._remembered or (None, {})

    @property
    def variables(self) -> tuple[VariableRecord, ...]:
        """Its variables, the largest first; of a parked model those that it has when it is there."""
        weights = self._weights()
        return () if weights is None else weights.by_variable

    def _weights(self) -> Weights | None:
        if self._coming is not None:
            return self._coming
        backend = self._backend
        if backend is not None:
            return backend.weights()
        return None if self._remembered is None else self._remembered[0]

    def _arriving_graph(self, graph: Any) -> AbstractContextManager[None]:
        return self._room_for(weights_of(graph))

    @contextmanager
    def _room_for(self, weights: Weights) -> Iterator[None]:
        self._coming = weights
        # What has just come is not the first to go.
        self.used_at_s = time.monotonic()
        try:
            with budget().room_for(self):
                if self.mode == "graph":
                    # A live object is there already.
                    container_warning().before_load(self.name, weights.variables_bytes or 0)
                yield
        finally:
            self._coming = None


def _shares(weights: Weights, device: str, named: set[str], calls_bytes: int = 0) -> int:
    on = {place: weights.bytes_on(place) for place in weights.devices}
    # The constants of prepared calls ask for no device.
    on[""] += calls_bytes
    return shares(on, device, named)
