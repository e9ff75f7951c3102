"""Which modules are there to be used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def imported(name: str) -> ModuleType | None:
    """Return a module whose import is over; None before that.

    While another thread imports it, it is among ``sys.modules`` already, and whoever
    imports anything of it waits until that has ended: seconds, for TensorFlow.
    """
    module = sys.modules.get(name)
    # As importlib itself tells them apart.
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module
