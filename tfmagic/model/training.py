"""What a model has learnt: told from its values, and whether it is anywhere else too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.concurrency.workers import workers
from tfmagic.model.memory.object_state import variables_in
from tfmagic.runtime.state.variables_io import checksums

if TYPE_CHECKING:
    from tfmagic.model.model import Model


def is_unsaved(model: Model) -> bool:
    """Return whether a model has learnt something that goes with it: since it was last saved, or added.

    A live object is the notebook's, and stays with what it has learnt. What a graph
    was not run to write to is not read, and nothing that is parked is woken.

    Parameters
    ----------
    model
        The model.
    """
    if model.came_unsaved:
        return True
    if model.mode == "eager" and not model.source.is_written_anew:
        return False
    backend = model.built
    if not (model.object_spill is not None if backend is None else backend.may_have_learnt):
        return False
    known = model.began_with if model.safe_with is None else model.safe_with
    # What cannot be read cannot be told from what was trained.
    if known is None or (model.mode == "graph" and model.state in {"running", "stopping"}):
        return True
    try:
        return workers().call(lambda: _has_changed(model, known))
    except Exception:  # noqa: BLE001 - of the person's own object, too: a drop goes on, whatever it is
        return True


def _has_changed(model: Model, known: dict[str, int]) -> bool:
    backend, spill = model.built, model.object_spill
    if spill is not None:
        # By order, as they are put back.
        return list(checksums(variables_in(spill)).values()) != list(known.values())
    return backend is not None and checksums(backend.learnt()) != known
