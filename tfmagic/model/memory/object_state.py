"""The state of a live object that a cell made: written, and restored into the cell's new object.

Variables are matched by order and not by name: Keras numbers the layers that it names
itself through the whole process, so that ``dense`` becomes ``dense_1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.errors import ParkError
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.runtime.state.spill import Spill


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
