"""What a model takes of the memory budget, now and once it is loaded."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.model.memory.budget import budget, shares
from tfmagic.runtime.memory.container_warning import container_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.model.memory.budget import Tenant


class Footprint:
    """The memory of one model."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._arriving: Weights | None = None

    @property
    def weights(self) -> Weights | None:
        """The model's weights, also while it is parked; None for one that was never built."""
        if self._arriving is not None:
            return self._arriving
        backend = self._lifecycle.backend
        if backend is not None:
            return backend.weights()
        kept = self._lifecycle.kept_summary
        return None if kept is None else kept[0]

    def bytes_wanted(self, device: str, named: set[str]) -> int:
        """Return what the model takes of one part of the budget once it is loaded; see `budget.shares`."""
        weights = self.weights
        return 0 if weights is None else _shares(weights, device, named)

    def bytes_held(self, device: str, named: set[str]) -> int:
        """Return what the model takes of one part of the budget now."""
        backend = self._lifecycle.backend
        if backend is None or backend.parked:
            return 0
        return _shares(backend.weights(), device, named, backend.calls_bytes)

    @contextmanager
    def room_for(self, weights: Weights, tenant: Tenant) -> Iterator[None]:
        """Make room in the budget for weights that are loaded in the block.

        Raises
        ------
        MemoryBudgetError
            When they do not fit.
        """
        self._arriving = weights
        # What has just come is not the first to go.
        self._lifecycle.used_at_s = time.monotonic()
        try:
            with budget().room_for(tenant):
                if self._lifecycle.mode == "graph":
                    # A live object has its memory already.
                    container_warning().before_load(self._lifecycle.name, weights.variables_bytes or 0)
                yield
        finally:
            self._arriving = None


def _shares(weights: Weights, device: str, named: set[str], calls_bytes: int = 0) -> int:
    on = {place: weights.bytes_on(place) for place in weights.devices}
    # The constants of prepared calls ask for no device.
    on[""] += calls_bytes
    return shares(on, device, named)
