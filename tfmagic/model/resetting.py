"""``%tf_runtime reset``: every model dropped, the session closed, everything given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.errors import TfMagicError
from tfmagic.model.former import trained
from tfmagic.runtime.session import KernelSession

if TYPE_CHECKING:
    from tfmagic.model.leaving import DropRecord
    from tfmagic.model.model import Model
    from tfmagic.model.registry import Models


class ResetRecord(TypedDict):
    """What came of a reset.

    Attributes
    ----------
    unsaved
        The models of cells that had learnt something which is in no file.
    dropped
        What came of dropping all models.
    """

    unsaved: list[str]
    dropped: DropRecord


def reset(models: Models) -> ResetRecord:
    """Drop every model and close the session.

    Parameters
    ----------
    models
        The registry.
    """
    unsaved = [name for name, model in models.items() if _has_unsaved_training(model)]
    KernelSession().close()
    return {"unsaved": unsaved, "dropped": models.drop(all=True)}


def _has_unsaved_training(model: Model) -> bool:
    if model.began_with is None or model.saved is not None or model.state not in {"ready", "parked"}:
        return False
    try:
        return bool(trained(model))
    except TfMagicError:
        # What cannot be read cannot be told from what was trained.
        return True
