"""A run of nothing much, for what TensorFlow does beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.runtime.private import run_once
from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1


def let_go_of_fed() -> None:
    """Have TensorFlow let go of fed arrays whose tensors are gone.

    A thread of TensorFlow's cannot release a Python object, so it notes it, and the
    next run that Python starts releases what was noted (ndarray_tensor_bridge.cc).
    """
    once("small run", _small_run)()


def take_a_tensor() -> None:
    """Have TensorFlow take memory, so that it has read from the environment how to."""
    once("small run", _small_run)()


def _small_run() -> Callable[[], Any]:
    from tfmagic.runtime.session import KernelSession

    graph = tf.Graph()
    with graph.as_default(), tf.device("CPU:0"):
        given = v1.placeholder(tf.float32, [])
        done = tf.fill([64], given).op
    native = v1.Session(graph=graph, config=KernelSession().config)
    # In this thread: all of TensorFlow's may be busy with runs that do not end.
    return lambda: run_once(native, [done.name], {given.name: np.zeros((), np.float32)}, in_this_thread=True)
