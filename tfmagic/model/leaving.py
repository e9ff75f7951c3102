"""What a drop gave back, and who still holds what it should have freed."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.model.notebook import held_in_notebook
from tfmagic.model.still_held import still_held
from tfmagic.runtime.custom_gradients import leave_to_graphs
from tfmagic.runtime.malloc import rss_bytes
from tfmagic.runtime.policy import memory_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfmagic.model.holders import HolderRecord
    from tfmagic.model.life import Life
    from tfmagic.model.record import ModelRecord


class DropRecord(TypedDict):
    """What came of dropping models.

    Attributes
    ----------
    models
        As they were.
    gave_back_bytes
        By how much the process's resident memory shrank, measured; others may have
        taken or given back some at the same time.
    rss_bytes
        What the process has now.
    held
        What of the notebook keeps a dropped model's memory, and what to type to let go.
    """

    models: list[ModelRecord]
    gave_back_bytes: int
    rss_bytes: int
    held: list[HolderRecord]


class Leaving:
    """Watches models go.

    Parameters
    ----------
    models
        Those that will be dropped, while they still stand.
    """

    def __init__(self, models: Iterable[Life]) -> None:
        # What was free before is none of theirs.
        memory_policy().give_back()
        self._before_bytes = rss_bytes()
        self._watched: list[weakref.ref[Any]] = []
        for model in models:
            mode = model.built
            if mode is None:
                continue
            for one in mode.memory():
                try:
                    self._watched.append(weakref.ref(one))
                except TypeError:  # of a type of the person's that has none
                    continue

    def record(self, models: list[ModelRecord]) -> DropRecord:
        """Collect, give back, measure, and look for who holds on."""
        if models:
            leave_to_graphs()
            gc.collect()
            memory_policy().give_back()
        after = rss_bytes()
        alive = [one for one in (reference() for reference in self._watched) if one is not None]
        held = held_in_notebook(alive) if alive else []
        if held:
            still_held().watch(self._watched)
        return {
            "models": models,
            "gave_back_bytes": self._before_bytes - after,
            "rss_bytes": after,
            "held": held,
        }
