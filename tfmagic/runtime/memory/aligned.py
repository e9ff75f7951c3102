"""Memory that TensorFlow can use as a tensor's own, without a copy."""

from __future__ import annotations

import numpy as np

_ALIGNMENT = 64
"""What Eigen asks of a tensor's memory."""


def aligned(nbytes: int) -> np.ndarray:
    """Return so many bytes that begin where TensorFlow wants a tensor to: fed, they become its memory uncopied."""
    room = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + nbytes]
