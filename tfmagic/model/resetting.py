"""``%tf_runtime reset``: every model dropped, the session closed, everything given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.model.training import is_unsaved
from tfmagic.runtime.session import KernelSession

if TYPE_CHECKING:
    from tfmagic.model.leaving import DropRecord
    from tfmagic.model.registry import Models


class ResetRecord(TypedDict):
    """What came of a reset.

    Attributes
    ----------
    unsaved
        The models that had learnt something since they were last saved, or added.
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
    unsaved = [name for name, model in models.items() if is_unsaved(model)]
    KernelSession().close()
    return {"unsaved": unsaved, "dropped": models.drop(all=True)}
