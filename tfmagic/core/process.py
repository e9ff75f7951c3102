"""Process-wide singletons that survive module reloads.

``importlib.reload`` runs a module's body again; ``%autoreload`` and tests delete modules
and import them again. A module-level singleton survives neither. These objects do:
they live in a module without a file.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NAME = "_tfmagic_process"


def _kept() -> ModuleType:
    fresh = ModuleType(_NAME, "What tfmagic keeps once a process.")
    fresh.__dict__["_lock"] = threading.RLock()
    # setdefault on a dict is atomic: two threads get the same module.
    return sys.modules.setdefault(_NAME, fresh)


def once(key: str, make: Callable[[], T]) -> T:
    """Return the process's object for `key`; `make` is called for the first request, under a lock."""
    kept = _kept().__dict__
    with kept["_lock"]:
        if key not in kept:
            kept[key] = make()
        return cast("T", kept[key])


def existing(key: str) -> Any:
    """Return the process's object for `key`; None where `once` has not made it yet."""
    return _kept().__dict__.get(key)
