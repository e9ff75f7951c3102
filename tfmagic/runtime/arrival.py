"""When a shared object came, and on what occasion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfmagic.runtime.shared_objects import Counters, SharedObject

BASELINE = "there before tfmagic"
IMPORT = "import of tensorflow"
CUSTOM_OP = "custom op"
OTHER = "other"


@dataclass(frozen=True)
class Arrival:
    """A shared object, and when it was first seen.

    Attributes
    ----------
    shared_object
        What came.
    at_s
        When it was seen first, in seconds since the epoch: at the end of the occasion
        or cell in which it came.
    occasion
        What was going on.
    """

    shared_object: SharedObject
    at_s: float
    occasion: str


@dataclass(frozen=True)
class Passed:
    """An occasion that is over, with the loader's counters on both sides of it."""

    what: str
    began_s: float
    ended_s: float
    before: Counters | None
    after: Counters | None
