"""Memory that TensorFlow can use as a tensor's own, without a copy."""

from __future__ import annotations

import numpy as np

# Eigen asks this of a tensor's memory.
_ALIGNMENT = 64


def aligned(nbytes: int) -> np.ndarray:
    """Return aligned bytes: when they are fed, the tensor uses their memory without a copy."""
    buffer = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + nbytes]
