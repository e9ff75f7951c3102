"""How many threads TensorFlow may use, as it was asked for; it makes its pools once a process."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Literal, get_args

from tfmagic.core.process import once
from tfmagic.errors import SettingError
from tfmagic.runtime.memory.policy import has_taken_memory

# After a number that TensorFlow cannot hold, every operation fails; it makes as many threads as it is told.
_MOST = 1024

Pool = Literal["inter_op_threads", "intra_op_threads"]


class ThreadCounts:
    """The sizes of TensorFlow's two thread pools.

    Attributes
    ----------
    asked : dict
        By pool; 0 for as many as TensorFlow likes.
    """

    def __init__(self) -> None:
        self.asked: dict[Pool, int] = dict.fromkeys(get_args(Pool), 0)

    def choose(self, pool: Pool, threads: int) -> None:
        """Ask for a number of threads.

        Raises
        ------
        SettingError
            For a number below 0 or above 1024, and when TensorFlow has its pools already.
        """
        if not 0 <= threads <= _MOST:
            msg = f"{pool} is a number of threads up to {_MOST}, or 0 for as many as TensorFlow likes, got {threads}"
            raise SettingError(msg)
        if threads == self.asked[pool]:
            return
        if has_taken_memory():
            msg = (
                f"{pool} is {self.asked[pool]} for the life of this kernel: TensorFlow has made its thread pools "
                f"already (in ipython_config.py: c.TfMagic.{pool} = {threads})"
            )
            raise SettingError(msg)
        self.asked[pool] = threads
        self.apply(anew=True)

    def apply(self, *, anew: bool = False) -> None:
        """Tell TensorFlow, where it is imported and can still be told.

        Parameters
        ----------
        anew
            Whether to tell it zeros too: another number may have been asked for before.
        """
        if "tensorflow" not in sys.modules:
            return
        import tensorflow as tf

        # Too late is no fault of whoever imports TensorFlow; `choose` looks before it asks.
        with suppress(RuntimeError):
            if anew or self.asked["inter_op_threads"]:
                tf.config.threading.set_inter_op_parallelism_threads(self.asked["inter_op_threads"])
            if anew or self.asked["intra_op_threads"]:
                tf.config.threading.set_intra_op_parallelism_threads(self.asked["intra_op_threads"])


def thread_counts() -> ThreadCounts:
    """Return what was asked for in this process."""
    return once("thread counts", ThreadCounts)
