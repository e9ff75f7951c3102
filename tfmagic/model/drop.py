"""What a drop gave back, and who still holds what it should have freed."""

from __future__ import annotations

import gc
import weakref
from functools import partial
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


# For a run that was told to end: between two of its operations it does so at once.
_END_S = 0.5


class DropRecord(TypedDict):
    """What came of dropping models.

    Attributes
    ----------
    models
        As they were.
    unsaved
        Those of them that had learnt something since they were last saved, or added.
    gave_back_bytes
        By how much the process's resident memory shrank, measured; others may have
        taken or given back some at the same time.
    rss_bytes
        What the process has now.
    running
        The dropped models of which a run was told to end and has not yet: what they hold
        is freed when it has, and is not in `gave_back_bytes`.
    held
        What of the notebook keeps a dropped model's memory, and what to type to let go.
    stays
        What cannot be given back, and why; None where all can.
    """

    models: list[ModelRecord]
    unsaved: list[str]
    gave_back_bytes: int
    rss_bytes: int
    running: list[str]
    held: list[HolderRecord]
    stays: str | None


class Leaving:
    """Watches models go.

    Parameters
    ----------
    models
        Those that will be dropped, while they still stand.
    """

    def __init__(self, models: Iterable[Model]) -> None:
        from tfmagic.model.unsaved import is_unsaved

        models = list(models)
        self._unsaved = [model.name for model in models if is_unsaved(model)]
        # What was free before is none of theirs.
        memory_policy().give_back()
        self._before_bytes = rss_bytes()
        self._watched: list[weakref.ref[Any]] = []
        self._runs: dict[str, Sized] = {}
        for model in models:
            backend = model.lifecycle.backend
            if backend is None:
                continue
            # Not all that is known of them, which would keep the graph.
            self._runs[model.name] = backend.runs.under_way
            for one in backend.memory():
                try:
                    self._watched.append(weakref.ref(one))
                except TypeError:  # of a type of the person's that has none
                    continue

    def record(self, models: list[ModelRecord]) -> DropRecord:
        """Collect, give back, measure, and look for what goes on and who holds on."""
        dropped = {model["name"] for model in models}
        runs = {name: under_way for name, under_way in self._runs.items() if name in dropped}
        interruptible(partial(wait_until, lambda: not any(map(len, runs.values())), _END_S))
        running = [name for name, under_way in runs.items() if len(under_way)]
        lingering().watch(runs[name] for name in running)
        if models:
            tie_gradients_to_graphs()
            gc.collect()
            memory_policy().give_back()
        after = rss_bytes()
        alive = [one for one in (reference() for reference in self._watched) if one is not None]
        from tfmagic.model.memory.holders import held_in_notebook

        held = held_in_notebook(alive) if alive else []
        if held:
            still_held().watch(self._watched)
        return {
            "models": models,
            "unsaved": [name for name in self._unsaved if name in dropped],
            "gave_back_bytes": self._before_bytes - after,
            "rss_bytes": after,
            "running": running,
            "held": held,
            "stays": memory_policy().stays,
        }


class Lingering:
    """What dropped models still run, to be seen to when it has ended.

    A run that was told to end does so between two operations; until then its native
    session keeps the variables, and what it frees at the end is malloc's.
    """

    def __init__(self) -> None:
        self._runs: list[Sized] = []

    def watch(self, runs: Iterable[Sized]) -> None:
        """Look after these, too: each empty as soon as nothing is under way."""
        self._runs = [*self._runs, *runs]

    def look(self) -> None:
        """Give back what is free, if one has ended since the last look."""
        if not self._runs:
            return
        going_on = [runs for runs in self._runs if len(runs)]
        ended, self._runs = len(going_on) < len(self._runs), going_on
        if ended:
            memory_policy().give_back()


def lingering() -> Lingering:
    """Return what the process's dropped models still run."""
    return once("lingering", Lingering)


class StillHeld:
    """What was dropped while the notebook still held it, to be freed when the notebook has let go.

    Objects of Keras refer to each other, so that they stay until the next full
    collection, though no name leads to them any more.
    """

    def __init__(self) -> None:
        self._watched: list[weakref.ref[Any]] = []

    def watch(self, references: Iterable[weakref.ref[Any]]) -> None:
        """Look after these objects, too."""
        self._watched = [*self._watched, *references]

    def look(self) -> None:
        """Collect and give back, if there is something that nobody holds any more."""
        self._watched = [reference for reference in self._watched if reference() is not None]
        if not self._watched:
            return
        # It imports NumPy, which `%load_ext` is not to wait for: this runs after every cell, that only after a drop.
        from tfmagic.model.memory.holders import held_in_notebook

        if not held_in_notebook([reference() for reference in self._watched]):
            self._watched = []
            gc.collect()
            memory_policy().give_back()


def still_held() -> StillHeld:
    """Return what the process's notebook still holds of what was dropped."""
    return once("still held", StillHeld)
