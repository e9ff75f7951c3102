"""Parking a live object that a cell made: its state goes to a file, and the cell makes the object again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError
from tfmagic.model.memory.holders import held_in_notebook
from tfmagic.model.memory.object_state import put_back, state_of
from tfmagic.model.memory.park_graph import lost_names
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Protocol

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

    class SpillHolder(Protocol):
        """Keeps the file while the object is gone."""

        object_spill: Spill | None


class ParkObject:
    """Parks a model that is a live object."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        holder: SpillHolder,
        backend: EagerBackend,
        room_for: Callable[[Weights], AbstractContextManager[None]],
    ) -> None:
        self._lifecycle = lifecycle
        self._holder = holder
        self._backend = backend
        self._room_for = room_for

    @property
    def stays_because(self) -> str | None:
        """Why the object cannot be parked, in a few words; None where it can."""
        if not self._is_held_here_alone():
            return "a live object of the notebook"
        if self._backend.has_another_optimizer():
            return "compiled outside its cell"
        return None

    def before_opening(self) -> None:
        """Make room for the object, and give one that was parked its state back."""
        self._backend.room.note_built()
        self._backend.note_optimizer()
        with self._room_for(self._backend.weights()):
            pass
        if self._holder.object_spill is not None:
            put_back(self._backend, self._holder.object_spill)
            self._lifecycle.training.rename_variables(self._backend.named_variables())

    def park(self, weights: Weights) -> tuple[int, list[str]]:
        """Write the object's state, and let go of the object.

        Raises
        ------
        ModelStateError
            When the notebook holds the object, or its cell would not make its optimizer again.
        ParkError
            When the file cannot be written.
        """
        del weights
        notes = lost_names(self._backend.room)
        # In a worker: a large file takes its time, and Ctrl-C shall come back.
        return workers().call(self._write), notes

    def wake(self) -> None:
        """Do nothing: building the model has put the state back."""

    def _is_held_here_alone(self) -> bool:
        """Return whether the model's own cell made the object, and nothing in the notebook leads to it."""
        return self._lifecycle.source.loses_training and not held_in_notebook([self._backend.live])

    def _write(self) -> int:
        name = self._lifecycle.name
        if not self._is_held_here_alone():
            msg = (
                f"{name} is yours, a live object, and is not emptied behind your back: "
                f"%tf_model drop {name}, or add it with --copy, which can be parked"
            )
            raise ModelStateError(msg)
        if self._backend.has_another_optimizer():
            msg = (
                f"{name} was compiled outside its cell, which would not make its optimizer again: "
                "compile it in the %%tf_model cell, or save it and drop it"
            )
            raise ModelStateError(msg)
        spill = Spill(park_directory().place())
        try:
            written_bytes = spill.write(state_of(self._backend))
            # Where nobody waits for this any more, the object may be in use again.
            check_cancelled()
            self._exchange(spill)
        except BaseException:
            # Unless the file is all that there is by now.
            if self._holder.object_spill is not spill:
                spill.remove()
            raise
        return written_bytes

    @defer_interrupts
    def _exchange(self, spill: Spill) -> None:
        """Keep the file instead of the object."""
        self._holder.object_spill = spill
        self._lifecycle.let_go(self._backend)
        self._lifecycle.source.release()
