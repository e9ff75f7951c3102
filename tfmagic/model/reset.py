"""``%tf_runtime reset``: drop every model, close the session and give all memory back."""

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
    """Drop every model and close the session; as with `Models.drop`, a DropError leaves no model behind."""
    # Closing the session already frees memory and loses training, before any model is dropped.
    unsaved = [name for name, model in models.items() if is_unsaved(model)]
    memory_policy().give_back()
    before_bytes = rss_bytes()

    def complete(record: DropRecord) -> DropRecord:
        return {**record, "unsaved": unsaved, "gave_back_bytes": before_bytes - record["rss_bytes"]}

    try:
        KernelSession().close()
    finally:
        # Also where a graph that is no model cannot be closed.
        try:
            record = models.drop(all=True)
        except DropError as error:
            error.record = complete(error.record)
            raise
    return complete(record)
