"""The sizes of TensorFlow's two thread pools, which it makes once a process."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Literal, get_args

from tfmagic.core.process import once
from tfmagic.errors import SettingError
from tfmagic.runtime.memory.policy import has_taken_memory

# TensorFlow makes as many threads as it is told. After a number that it cannot hold, every operation fails.
_MOST = 1024

Pool = Literal["inter_op_threads", "intra_op_threads"]


class ThreadCounts:
    """The requested sizes of the two pools; 0 leaves the choice to TensorFlow."""

    def __init__(self) -> None:
        self.requested: dict[Pool, int] = dict.fromkeys(get_args(Pool), 0)

    def choose(self, pool: Pool, threads: int) -> None:
        """Request a number of threads; `SettingError` for a number below 0 or above 1024, or once pools exist."""
        if not 0 <= threads <= _MOST:
            msg = f"{pool} is a number of threads up to {_MOST}, or 0 for as many as TensorFlow likes, got {threads}"
            raise SettingError(msg)
        if threads == self.requested[pool]:
            return
        if has_taken_memory():
            msg = (
                f"{pool} is {self.requested[pool]} for the life of this kernel: TensorFlow has made its thread pools "
                f"already (in ipython_config.py: c.TfMagic.{pool} = {threads})"
            )
            raise SettingError(msg)
        self.requested[pool] = threads
        self.apply(zeros=True)

    def apply(self, *, zeros: bool = False) -> None:
        """Pass the sizes to TensorFlow if it is imported; zeros only if they may replace an earlier request."""
        if "tensorflow" not in sys.modules:
            return
        import tensorflow as tf

        # Whoever imports TensorFlow cannot help being late; `choose` checks before it gets here.
        with suppress(RuntimeError):
            if zeros or self.requested["inter_op_threads"]:
                tf.config.threading.set_inter_op_parallelism_threads(self.requested["inter_op_threads"])
            if zeros or self.requested["intra_op_threads"]:
                tf.config.threading.set_intra_op_parallelism_threads(self.requested["intra_op_threads"])


def thread_counts() -> ThreadCounts:
    """Return the pool sizes requested in this process."""
    return once("thread counts", ThreadCounts)
