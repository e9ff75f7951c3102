"""Which shared objects this process has, when each came, and on what occasion.

``libraries().summary()`` is for every second, ``libraries_record()`` for a person who
asks: sizes in memory, packages and what is missing for a GPU are looked up then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.process import once
from tfmagic.runtime.libraries.shared_objects import BASELINE, OTHER, Arrival, Passed, shared_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.runtime.libraries.files import Portrait
    from tfmagic.runtime.libraries.shared_objects import Counters, SharedObjects

# Of what went, and of what was done, no more is kept than anybody reads.
_KEPT = 1000

_OCCASION: ContextVar[str] = ContextVar("tfmagic_occasion", default=OTHER)


class CountersRecord(TypedDict):
    """The loader's own counters: how often the process has loaded and unloaded anything."""

    loads: int
    unloads: int


class LibrariesSummary(TypedDict):
    """The figures of a moment, cheap enough for every second. None stands for what the platform does not count.

    Attributes
    ----------
    count
        How many shared objects are loaded, the program included.
    of_tensorflow
        How many of them are TensorFlow's own files or came with its import.
    since_load
        How many came since the baseline and are still there.
    loads, unloads
        The loader's counters.
    duplicates
        How many things are there more than once.
    """

    count: int
    of_tensorflow: int
    since_load: int
    loads: int | None
    unloads: int | None
    duplicates: int


class Libraries:
    """The process's shared objects, as they came.

    What was there when this object was made is the **baseline**: with ``%load_ext``
    that is its first time in the process, in a script the first model or the first
    question. Unloading and reloading the extension keeps it: TensorFlow's libraries
    stay in the process, whatever happens to the extension, and "since `%load_ext`" is
    asked by somebody who wants to know what this notebook has loaded.

    Parameters
    ----------
    objects
        How to look; by default this platform's way.
    """

    def __init__(self, objects: SharedObjects | None = None) -> None:
        self.objects = objects or shared_objects()
        self.at_load: Counters | None = self.objects.counters()
        self.loaded_at_s = time.time()
        self.gone: deque[Arrival] = deque(maxlen=_KEPT)
        self._lock = threading.RLock()
        self._mark = self.objects.mark()
        self._present = {one: Arrival(one, self.loaded_at_s, BASELINE) for one in self.objects.listed()}
        self._passed: dict[str, Passed] = {}
        self._under_way: list[str] = []
        self._portrait: Portrait | None = None
        self._summary: LibrariesSummary | None = None

    def counters(self) -> Counters | None:
        """Return the loader's counters: microseconds. None where the platform has none."""
        return self.objects.counters()

    def look(self) -> bool:
        """Take note of what has come and gone; return whether anything has.

        What came belongs to the occasion that this thread is in, where it is in none
        to the one that another thread began last: who looks once a second for a panel
        takes nothing from an import. Microseconds when the loader's counters stand
        where they stood, 0.4 ms otherwise.
        """
        with self._lock:
            mark = self.objects.mark()
            if mark == self._mark:
                return False
            self._mark = mark
            listed = self.objects.listed()
            now, what = time.time(), _OCCASION.get()
            if what == OTHER and self._under_way:
                what = self._under_way[-1]
            before = self._present
            self._present = {one: before.get(one) or Arrival(one, now, what) for one in listed}
            self.gone.extend(arrival for one, arrival in before.items() if one not in self._present)
            self._summary = None
            return True

    @contextmanager
    def occasion(self, what: str) -> Iterator[None]:
        """Give what is loaded within the block to an occasion, such as ``model digits``.

        The counters on both sides are kept (the last time of each name), as proof of
        what it did and did not load. What another thread loads meanwhile counts to it
        as well: the loader does not say who asked.

        Parameters
        ----------
        what
            The occasion, in words.
        """
        self.look()
        began_s, before = time.time(), self.counters()
        token = _OCCASION.set(what)
        with self._lock:
            self._under_way.append(what)
        try:
            yield
        finally:
            self.look()
            _OCCASION.reset(token)
            with self._lock:
                self._under_way.remove(what)
                self._passed.pop(what, None)
                self._passed[what] = Passed(what, began_s, time.time(), before, self.counters())
                while len(self._passed) > _KEPT:
                    del self._passed[next(iter(self._passed))]

    def present(self) -> list[Arrival]:
        """Return what is loaded now, in the loader's order."""
        self.look()
        return list(self._present.values())

    def passed(self) -> list[Passed]:
        """Return the occasions that are over, the latest last."""
        with self._lock:
            return list(self._passed.values())

    def since_load(self) -> list[Arrival]:
        """Return what has come since the baseline, and is still there."""
        return [one for one in self.present() if one.occasion != BASELINE]

    def since(self, what: str) -> list[Arrival]:
        """Return what has come since an occasion ended; everything where there was none of that name."""
        ended_s = next((one.ended_s for one in self.passed() if one.what == what), float("-inf"))
        return [one for one in self.present() if one.at_s > ended_s]

    def summary(self) -> LibrariesSummary:
        """Return the figures of now: microseconds when nothing was loaded since the last time."""
        self.look()
        summary = self._summary
        if summary is None:
            with self._lock:
                present, counters = list(self._present.values()), self.counters()
                files = self.portrait().files(present)
                summary = self._summary = {
                    "count": len(present),
                    "of_tensorflow": sum(one.of_tensorflow for one in files),
                    "since_load": sum(one.occasion != BASELINE for one in present),
                    "loads": None if counters is None else counters.loads,
                    "unloads": None if counters is None else counters.unloads,
                    "duplicates": len(self.portrait().duplicates(files, named=False)),
                }
        return summary.copy()

    def portrait(self) -> Portrait:
        """Return what is known of each file: read once, kept."""
        if self._portrait is None:
            from tfmagic.runtime.libraries.files import Portrait

            self._portrait = Portrait()
        return self._portrait


def libraries() -> Libraries:
    """Return the process's libraries, made with the first call."""
    return once("libraries", Libraries)
