"""Which modules are imported, and which are being imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def imported(name: str) -> ModuleType | None:
    """Return a module whose import has ended; None before that.

    One that is being imported is in ``sys.modules`` already, and using it waits for seconds.
    """
    return None if is_coming(name) else sys.modules.get(name)


def is_coming(name: str) -> bool:
    """Return whether a module is being imported at this moment."""
    # importlib tells them apart by this attribute.
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))
