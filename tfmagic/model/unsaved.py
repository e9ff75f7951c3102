"""Whether a model has trained values that a drop would lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.model.memory.park_object import variables_in

if TYPE_CHECKING:
    from tfmagic.model.model import Model


def is_unsaved(model: Model) -> bool:
    """Return whether a model was trained since it was last saved or added; a parked model is not woken for that.

    A live object belongs to the notebook, which keeps what was trained. Values are read only
    where a run could have changed them.
    """
    training, backend, spill = model.lifecycle.training, model.lifecycle.backend, model.lifecycle.object_spill
    if training.came_unsaved:
        return True
    if model.mode == "eager" and not model.source.loses_training:
        return False
    if backend is None:
        # By order: Keras may give the variables other names when the cell makes them again.
        return spill is not None and training.differs_from_saved(lambda: variables_in(spill), by_name=False)
    if not backend.may_be_trained:
        return False
    if model.mode == "graph" and model.state in {"running", "stopping"}:
        # Values that cannot be read count as trained.
        return True
    return training.differs_from_saved(backend.trained_values, by_name=True)
