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
    return None if is_coming(name) else sys.modules.get(name)


def is_coming(name: str) -> bool:
    """Return whether a module is being imported at this moment."""
    # As importlib itself tells them apart.
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))
