"""The numbers that say how a model is to be run, checked: batch size, repetitions, seconds."""

from __future__ import annotations

import math
import operator
from typing import Any

from tfmagic.errors import InputError

# TensorFlow counts a deadline in milliseconds, in 64 bits.
_LONGEST_S = 1e9


def whole_number(what: str, value: Any) -> int:
    """Return a count from 1 on.

    Parameters
    ----------
    what
        What to call it in the message.
    value
        A whole number, also NumPy's, or its text.

    Raises
    ------
    InputError
        For anything else.
    """
    try:
        count = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        count = 0
    if count < 1 or isinstance(value, bool):
        msg = f"{what} takes a whole number from 1 on, got {value!s}"
        raise InputError(msg)
    return count


def seconds(what: str, value: Any) -> float:
    """Return a duration in seconds, more than none.

    Parameters
    ----------
    what
        What to call it in the message.
    value
        A number, also NumPy's, or its text.

    Raises
    ------
    InputError
        For anything else.
    """
    try:
        duration = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        duration = 0.0
    if not (0 < duration <= _LONGEST_S):
        limit = f" and up to {_LONGEST_S:.0e}" if duration > 0 and duration != math.inf else ""
        msg = f"{what} takes a number of seconds above 0{limit}, got {value!s}"
        raise InputError(msg)
    return duration
