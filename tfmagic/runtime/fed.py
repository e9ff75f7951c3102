"""Arrays that were fed to a run, and have become a tensor's own memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1


def let_go_of_fed() -> None:
    """Have TensorFlow let go of fed arrays whose tensors are gone.

    A thread of TensorFlow's cannot release a Python object, so it notes it, and the
    next run that Python starts releases what was noted (ndarray_tensor_bridge.cc).
    """
    once("what lets go of fed arrays", _small_run)()


def _small_run() -> Callable[[], Any]:
    graph = tf.Graph()
    with graph.as_default(), tf.device("CPU:0"):
        given = v1.placeholder(tf.float32, [])
        result = tf.identity(given)
    from tfmagic.runtime.session import KernelSession

    native = v1.Session(graph=graph, config=KernelSession().config)
    fed = np.zeros((), np.float32)
    return lambda: native.run(result, {given: fed})
