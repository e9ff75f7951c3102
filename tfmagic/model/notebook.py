"""The notebook's names, also in a script, where they are the main module's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tfmagic.model.holders import holders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.model.holders import HolderRecord


def held_in_notebook(targets: Sequence[object]) -> list[HolderRecord]:
    """Return what of the notebook keeps any of these objects alive."""
    # Where IPython runs it is imported already, and its names are the main module's.
    ipython = sys.modules.get("IPython.core.getipython")
    shell = None if ipython is None else ipython.get_ipython()
    return holders(targets, vars(sys.modules["__main__"]), shell=shell)
