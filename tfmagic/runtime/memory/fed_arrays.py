"""Arrays that are fed to TensorFlow: memory that it needs not copy, and a minimal run that releases them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.core.process import once
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.tensorflow.private import run_once

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1

# Eigen asks this of a tensor's memory.
_ALIGNMENT = 64


def aligned(nbytes: int) -> np.ndarray:
    """Return aligned bytes: when they are fed, the tensor uses their memory without a copy."""
    buffer = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + nbytes]


class FlushRun:
    """A run of one operation, for its side effects: devices take memory, fed arrays are released."""

    def __init__(self) -> None:
        self._graph = tf.Graph()
        with self._graph.as_default(), tf.device("CPU:0"):
            value = v1.placeholder(tf.float32, [])
            self._feed, self._operation = value.name, tf.fill([64], value).op.name
        self._native: Any = None

    def initialise_allocators(self, config: Callable[[], Any]) -> None:
        """Have TensorFlow, with the session's ``ConfigProto``, allocate a tensor and so read its memory settings."""
        if self._native is None:
            # Inside a room, TensorFlow's own class would give the room's session.
            self._native = NativeSession(graph=self._graph, config=config())
        self.release_fed_arrays()

    def release_fed_arrays(self) -> None:
        """Have TensorFlow release fed arrays whose tensors are gone.

        A thread of TensorFlow's cannot release a Python object. It queues the object, and the next run that
        Python starts releases what is queued (ndarray_tensor_bridge.cc).
        """
        if self._native is not None:
            feeds = {self._feed: np.zeros((), np.float32)}
            # In this thread: all of TensorFlow's may be busy with runs that do not end.
            run_once(self._native, [self._operation], feeds, in_this_thread=True)


def flush_run() -> FlushRun:
    """Return the process's flush run."""
    return once("flush run", FlushRun)
