"""``%tf_runtime reset``: every model dropped, the session closed, everything given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import DropError
from tfmagic.model.unsaved import is_unsaved
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from tfmagic.model.drop import DropRecord
    from tfmagic.model.registry import Models


def reset(models: Models) -> DropRecord:
    """Drop every model and close the session.

    Parameters
    ----------
    models
        The registry.

    Raises
    ------
    DropError
        As `Models.drop` does: every model is gone all the same.
    """
    # With the session what they have learnt goes already, before any of them is dropped, and their memory with it.
    unsaved = [name for name, model in models.items() if is_unsaved(model)]
    memory_policy().give_back()
    before_bytes = rss_bytes()

    def whole(dropped: DropRecord) -> DropRecord:
        return {**dropped, "unsaved": unsaved, "gave_back_bytes": before_bytes - dropped["rss_bytes"]}

    try:
        KernelSession().close()
    finally:
        # Also where a graph that is no model cannot be closed.
        try:
            dropped = models.drop(all=True)
        except DropError as error:
            error.record = whole(error.record)
            raise
    return whole(dropped)
