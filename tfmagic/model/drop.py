"""Dropping models: the memory that came back, and the memory that comes back later."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.runs import wait_until
from tfmagic.core.process import once
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.tensorflow.custom_gradients import tie_gradients_to_graphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from tfmagic.model.memory.holders import HolderRecord
    from tfmagic.model.model import Model
    from tfmagic.model.record import ModelRecord


# A cancelled run ends between two of its operations, mostly at once.
_RUN_END_S = 0.5


class DropRecord(TypedDict):
    """What dropping models did.

    Attributes
    ----------
    models
        Their records before the drop.
    unsaved
        The models that were trained since they were last saved or added.
    gave_back_bytes
        How much smaller the process became. Other threads may have taken or freed memory too.
    rss_bytes
        The resident memory of the process after the drop.
    running
        The models whose cancelled run has not ended yet. Their memory comes back later.
    held
        What in the notebook keeps a dropped model's memory, and what to type to release it.
    stays
        Why some memory cannot be given back; None where all can.
    """

    models: list[ModelRecord]
    unsaved: list[str]
    gave_back_bytes: int
    rss_bytes: int
    running: list[str]
    held: list[HolderRecord]
    stays: str | None


class Drop:
    """Measures what one drop gives back. Create it before the models are dropped."""

    def __init__(self, models: Iterable[Model]) -> None:
        from tfmagic.model.unsaved import is_unsaved

        models = list(models)
        self._unsaved = [model.name for model in models if is_unsaved(model)]
        # Memory that was free before the drop does not count.
        memory_policy().give_back()
        self._before_bytes = rss_bytes()
        self._objects: list[weakref.ref[Any]] = []
        self._runs: dict[str, Sized] = {}
        for model in models:
            backend = model.lifecycle.backend
            if backend is None:
                continue
            # Only the list of runs: the object that has it would keep the graph.
            self._runs[model.name] = backend.runs.under_way
            for owner in backend.memory_owners():
                try:
                    self._objects.append(weakref.ref(owner))
                except TypeError:  # a person's class without weak references
                    continue

    def record(self, models: list[ModelRecord]) -> DropRecord:
        """Free and measure the memory of dropped models, and have the rest watched."""
        from tfmagic.model.memory.holders import held_in_notebook

        dropped = {model["name"] for model in models}
        runs = {name: under_way for name, under_way in self._runs.items() if name in dropped}
        interruptible(wait_until, lambda: not any(map(len, runs.values())), _RUN_END_S)
        running = [name for name, under_way in runs.items() if len(under_way)]
        drop_watch().runs += [runs[name] for name in running]
        if models:
            tie_gradients_to_graphs()
            gc.collect()
            memory_policy().give_back()
        after_bytes = rss_bytes()
        held = held_in_notebook(_alive(self._objects))
        if held:
            drop_watch().objects += self._objects
        return {
            "models": models,
            "unsaved": [name for name in self._unsaved if name in dropped],
            "gave_back_bytes": self._before_bytes - after_bytes,
            "rss_bytes": after_bytes,
            "running": running,
            "held": held,
            "stays": memory_policy().stays,
        }


class DropWatch:
    """Watches dropped models that still take memory, and gives it back once they no longer do.

    A cancelled run keeps its session's variables until it ends. Keras objects refer to each
    other, so that those the notebook released stay until the next full garbage collection.
    """

    def __init__(self) -> None:
        self.runs: list[Sized] = []
        self.objects: list[weakref.ref[Any]] = []

    def look_at_runs(self) -> None:
        """Give memory back if a run has ended since the last look."""
        going_on = [runs for runs in self.runs if len(runs)]
        some_ended, self.runs = len(going_on) < len(self.runs), going_on
        if some_ended:
            memory_policy().give_back()

    def look_at_objects(self) -> None:
        """Collect garbage and give memory back if the notebook has released the objects."""
        self.objects = [reference for reference in self.objects if reference() is not None]
        if not self.objects:
            return
        # It imports NumPy, which `%load_ext` must not wait for: this runs after every cell.
        from tfmagic.model.memory.holders import held_in_notebook

        if not held_in_notebook(_alive(self.objects)):
            self.objects = []
            gc.collect()
            memory_policy().give_back()


def drop_watch() -> DropWatch:
    """Return the process's watch."""
    return once("drop watch", DropWatch)


def _alive(references: Iterable[weakref.ref[Any]]) -> list[Any]:
    return [target for target in (reference() for reference in references) if target is not None]
