"""No full garbage collections while a model is built.

A full collection visits every object of the process: a fifth of a second with TensorFlow
and Keras, and a load makes thousands of objects that all stay. Collections of young
objects go on, and find the garbage there is. Python does the full one after the build.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEVER = 2**31 - 1


class _Pause:
    """How many blocks are open, and the threshold before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks = 0
        self.before = 0


_all = _Pause()


@contextmanager
def without_full_collections() -> Iterator[None]:
    """Limit automatic collections to young objects until the last such block in any thread ends.

    ``gc.collect()``, ``gc.disable()`` and a threshold set inside the block keep their effect.
    """
    with _all.lock:
        if _all.blocks == 0:
            young, middle, _all.before = gc.get_threshold()
            gc.set_threshold(young, middle, _NEVER)
        _all.blocks += 1
    try:
        yield
    finally:
        with _all.lock:
            _all.blocks -= 1
            young, middle, old = gc.get_threshold()
            if _all.blocks == 0 and old == _NEVER:
                gc.set_threshold(young, middle, _all.before)
