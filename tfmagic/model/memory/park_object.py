"""Parking a live object that a cell made: its state goes to a file, and the cell makes a new object.

Variables are matched by order and not by name: Keras numbers the layers that it names
itself through the whole process, so that ``dense`` becomes ``dense_1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.workers import workers
from tfmagic.errors import ModelStateError, ParkError
from tfmagic.model.memory.holders import held_in_notebook
from tfmagic.model.memory.park_graph import lost_names
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.spill_directory import park_directory
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


@dataclass(frozen=True)
class ParkObject:
    """Parks a model that is a live object."""

    lifecycle: Lifecycle
    backend: EagerBackend
    room_for: Callable[[Weights], AbstractContextManager[None]]

    @property
    def stays_because(self) -> str | None:
        """Why the object cannot be parked, in a few words; None where it can."""
        if not self._is_held_here_alone():
            return "a live object of the notebook"
        if self.backend.has_another_optimizer():
            return "compiled outside its cell"
        return None

    def before_opening(self) -> None:
        """Make room for the object, and restore the state of a parked one."""
        self.backend.room.note_built()
        self.backend.note_optimizer()
        with self.room_for(self.backend.weights()):
            pass
        if self.lifecycle.object_spill is not None:
            restore(self.backend, self.lifecycle.object_spill)
            self.lifecycle.training.rename_variables(self.backend.named_variables())

    def park(self) -> tuple[int, list[str]]:
        """Write the object's state, and release the object.

        ModelStateError says that the notebook holds it, or that its cell would not make its
        optimizer again; ParkError that the file cannot be written.
        """
        notes = lost_names(self.backend.room)
        # In a worker: a large file takes long, and Ctrl-C must return.
        return workers().call(self._write), notes

    def wake(self) -> None:
        """Do nothing: building the model has restored the state."""

    def _is_held_here_alone(self) -> bool:
        """Return whether the model's own cell made the object, and the notebook has no reference to it."""
        return self.lifecycle.source.loses_training and not held_in_notebook([self.backend.live])

    def _write(self) -> int:
        name = self.lifecycle.name
        if not self._is_held_here_alone():
            msg = (
                f"{name} is yours, a live object, and is not emptied behind your back: "
                f"%tf_model drop {name}, or add it with --copy, which can be parked"
            )
            raise ModelStateError(msg)
        if self.backend.has_another_optimizer():
            msg = (
                f"{name} was compiled outside its cell, which would not make its optimizer again: "
                "compile it in the %%tf_model cell, or save it and drop it"
            )
            raise ModelStateError(msg)
        spill = Spill(park_directory().place())
        try:
            written_bytes = spill.write(state_of(self.backend))
            # After Ctrl-C nobody waits for this, and the object may be in use again.
            check_cancelled()
            self._exchange(spill)
        except BaseException:
            # Unless only the file has the state by now.
            if self.lifecycle.object_spill is not spill:
                spill.remove()
            raise
        return written_bytes

    @defer_interrupts
    def _exchange(self, spill: Spill) -> None:
        """Keep the file instead of the object."""
        self.lifecycle.object_spill = spill
        self.lifecycle.close_backend(self.backend)
        self.lifecycle.source.release()


def state_of(backend: EagerBackend) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the values of an object's variables and of its optimizer's, as ``variables/0``, ``optimizer/0``."""
    for part, variables in _parts(backend):
        for index, variable in enumerate(variables):
            with eager_execution():
                value = variable.numpy()
            yield f"{part}/{index}", value


def variables_in(spill: Spill) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the written values of an object's own variables, in their order."""
    return ((name, value) for name, value in spill.read() if name.startswith("variables/"))


def restore(backend: EagerBackend, spill: Spill) -> None:
    """Assign the written values; an object of another structure raises ParkError, and the file stays."""
    parts = dict(_parts(backend, build=True))
    for name, value in spill.read():
        part, _, index = name.partition("/")
        variables = parts.get(part, [])
        variable = variables[int(index)] if int(index) < len(variables) else None
        if variable is None or tuple(variable.shape) != value.shape:
            actual = "none" if variable is None else f"one of shape {tuple(variable.shape)}"
            msg = (
                f"{backend.room.label} cannot wake: "
                f"its cell makes another object than it did (variable {name} had shape "
                f"{value.shape}, and now there is {actual}); what it had learnt is still in {spill.path}"
            )
            raise ParkError(msg)
        with eager_execution():
            variable.assign(value)


def _parts(backend: EagerBackend, *, build: bool = False) -> list[tuple[str, list[Any]]]:
    parts = [("variables", list(backend.named_variables().values()))]
    optimizer = getattr(backend.live, "optimizer", None)
    if optimizer is not None and hasattr(optimizer, "variables"):
        if build and not getattr(optimizer, "built", True):
            optimizer.build(backend.live.trainable_variables)
        parts.append(("optimizer", list(optimizer.variables)))
    return parts
