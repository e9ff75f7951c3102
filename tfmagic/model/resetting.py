"""``%tf_runtime reset``: every model dropped, the session closed, everything given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.model.training import is_unsaved
from tfmagic.runtime.malloc import rss_bytes
from tfmagic.runtime.policy import memory_policy
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
    # With the session the models' memory goes already, before any of them is dropped.
    memory_policy().give_back()
    before_bytes = rss_bytes()
    KernelSession().close()
    dropped = models.drop(all=True)
    return {"unsaved": unsaved, "dropped": {**dropped, "gave_back_bytes": before_bytes - dropped["rss_bytes"]}}
