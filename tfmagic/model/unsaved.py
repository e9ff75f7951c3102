"""Whether a model has learnt something that would be lost with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.model.memory.object_state import variables_in

if TYPE_CHECKING:
    from tfmagic.model.model import Model


def is_unsaved(model: Model) -> bool:
    """Return whether a model has learnt something since it was last saved, or added.

    A live object is the notebook's, and stays with what it has learnt. Values are read
    only where runs could have changed them, and nothing that is parked is woken.
    """
    training = model.lifecycle.training
    if training.came_unsaved:
        return True
    if model.mode == "eager" and not model.source.loses_training:
        return False
    backend, spill = model.lifecycle.backend, model.parking.object_spill
    if backend is None:
        # In their order: Keras may give the variables other names when the cell makes them again.
        return spill is not None and training.differs_from_saved(lambda: variables_in(spill), by_name=False)
    if not backend.may_be_trained:
        return False
    if model.mode == "graph" and model.state in {"running", "stopping"}:
        # Values that cannot be read count as trained.
        return True
    return training.differs_from_saved(backend.trained_values, by_name=True)
