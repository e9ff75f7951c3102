"""A run of nothing much, for what TensorFlow does beside it."""

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


class SmallRun:
    """A graph of one operation, and its native session once there is one."""

    def __init__(self) -> None:
        self._graph = tf.Graph()
        with self._graph.as_default(), tf.device("CPU:0"):
            given = v1.placeholder(tf.float32, [])
            self._names = given.name, tf.fill([64], given).op.name
        self._native: Any = None

    def take_a_tensor(self, config: Callable[[], Any]) -> None:
        """Have TensorFlow take memory, so that it has read from the environment how to.

        Parameters
        ----------
        config
            Gives the ``ConfigProto`` of the process's session.
        """
        if self._native is None:
            # TensorFlow's own class would give the room's session inside a room.
            self._native = NativeSession(graph=self._graph, config=config())
        self.let_go_of_fed()

    def let_go_of_fed(self) -> None:
        """Have TensorFlow let go of fed arrays whose tensors are gone.

        A thread of TensorFlow's cannot release a Python object, so it notes it, and the
        next run that Python starts releases what was noted (ndarray_tensor_bridge.cc).
        """
        if self._native is not None:
            given, done = self._names
            # In this thread: all of TensorFlow's may be busy with runs that do not end.
            run_once(self._native, [done], {given: np.zeros((), np.float32)}, in_this_thread=True)


def small_run() -> SmallRun:
    """Return the process's."""
    return once("small run", SmallRun)
