"""Notices to the person that no command asked for: a model was parked, memory is short."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable


class Notices:
    """Where a notice goes: `show` takes a line; by default it writes to the log ``tfmagic``."""

    def __init__(self) -> None:
        self.show: Callable[[str], None] = self.log

    def log(self, line: str) -> None:
        """Write to the log ``tfmagic``."""
        logging.getLogger("tfmagic").warning(line)


def notices() -> Notices:
    """Return the process's notices."""
    return once("notices", Notices)
