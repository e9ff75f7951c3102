"""Checked numbers of a run: batch size, repetitions, seconds."""

from __future__ import annotations

import math
import operator
from typing import Any

from tfmagic.errors import InputError

# TensorFlow counts a deadline in milliseconds, in 64 bits.
_LONGEST_S = 1e9


def whole_number(what: str, value: Any) -> int:
    """Return a whole number from 1 on, given as a number, also NumPy's, or as text; `what` names it in the error."""
    try:
        count = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        count = 0
    if count < 1 or isinstance(value, bool):
        msg = f"{what} takes a whole number from 1 on, got {value!s}"
        raise InputError(msg)
    return count


def seconds(what: str, value: Any) -> float:
    """Return a duration in seconds above 0, given as a number, also NumPy's, or as text, for the argument `what`."""
    try:
        duration = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        duration = 0.0
    if not (0 < duration <= _LONGEST_S):
        limit = f" and up to {_LONGEST_S:.0e}" if duration > 0 and duration != math.inf else ""
        msg = f"{what} takes a number of seconds above 0{limit}, got {value!s}"
        raise InputError(msg)
    return duration
