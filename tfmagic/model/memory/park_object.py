"""Parking a live object that a cell made: its state goes to a file, and the cell makes a new object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError
from tfmagic.model.memory.holders import held_in_notebook
from tfmagic.model.memory.object_state import restore, state_of
from tfmagic.model.memory.park_graph import lost_names
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


class ParkObject:
    """Parks a model that is a live object."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        backend: EagerBackend,
        room_for: Callable[[Weights], AbstractContextManager[None]],
    ) -> None:
        self._lifecycle = lifecycle
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
        """Make room for the object, and restore the state of a parked one."""
        self._backend.room.note_built()
        self._backend.note_optimizer()
        with self._room_for(self._backend.weights()):
            pass
        if self._lifecycle.object_spill is not None:
            restore(self._backend, self._lifecycle.object_spill)
            self._lifecycle.training.rename_variables(self._backend.named_variables())

    def park(self, weights: Weights) -> tuple[int, list[str]]:
        """Write the object's state, and release the object.

        ModelStateError says that the notebook holds it, or that its cell would not make its
        optimizer again; ParkError that the file cannot be written.
        """
        del weights
        notes = lost_names(self._backend.room)
        # In a worker: a large file takes long, and Ctrl-C must return.
        return workers().call(self._write), notes

    def wake(self) -> None:
        """Do nothing: building the model has restored the state."""

    def _is_held_here_alone(self) -> bool:
        """Return whether the model's own cell made the object, and the notebook has no reference to it."""
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
            # After Ctrl-C nobody waits for this, and the object may be in use again.
            check_cancelled()
            self._exchange(spill)
        except BaseException:
            # Unless only the file has the state by now.
            if self._lifecycle.object_spill is not spill:
                spill.remove()
            raise
        return written_bytes

    @defer_interrupts
    def _exchange(self, spill: Spill) -> None:
        """Keep the file instead of the object."""
        self._lifecycle.object_spill = spill
        self._lifecycle.close_backend(self._backend)
        self._lifecycle.source.release()
