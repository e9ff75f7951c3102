"""What is to be said to the person though nothing was asked: a model was parked, memory is short."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable


class Notices:
    """Where such a line goes: to the log, or wherever the one who shows things to the person takes it.

    Attributes
    ----------
    show
        Takes a line.
    """

    def __init__(self) -> None:
        self.show: Callable[[str], None] = self.log

    def log(self, line: str) -> None:
        """Write to the log ``tfmagic``."""
        logging.getLogger("tfmagic").warning(line)


def notices() -> Notices:
    """Return the process's notices."""
    return once("notices", Notices)
