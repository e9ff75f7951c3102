"""Python's full garbage collections, put off while a model is built.

A full collection looks at every object of the process: with TensorFlow and Keras
imported that is a fifth of a second, in the middle of a load which makes thousands
of objects that all stay. The collections of young objects go on, which is where
garbage is found; the full one comes once the model stands, when Python next wants it.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEVER = 2**31 - 1


class _Postponement:
    """How many blocks have put them off, and what the threshold was before the first one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks = 0
        self.before = 0


_all = _Postponement()


@contextmanager
def without_full_collections() -> Iterator[None]:
    """Have Python collect only young objects by itself until the block ends; in several threads, the last one.

    ``gc.collect()`` and ``gc.disable()`` mean what they always do, and a threshold
    that somebody sets inside the block stays.
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
