"""What was dropped while the notebook still held it: freed as soon as the notebook has let go."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.policy import memory_policy
from tfmagic.runtime.process import once

if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterable


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
        from tfmagic.model.notebook import held_in_notebook

        if not held_in_notebook([reference() for reference in self._watched]):
            self._watched = []
            gc.collect()
            memory_policy().give_back()


def still_held() -> StillHeld:
    """Return what the process's notebook still holds of what was dropped."""
    return once("still held", StillHeld)
