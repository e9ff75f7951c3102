"""Which shared objects this process has, when each came, and in which phase."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.process import once
from tfmagic.runtime.libraries.shared_objects import BASELINE, OTHER, FinishedPhase, LoadedObject, shared_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.runtime.libraries.files import LoadedFile
    from tfmagic.runtime.libraries.shared_objects import CountersRecord

# How many unloaded objects and finished phases are kept: more than anybody reads.
_KEPT = 1000

_PHASE: ContextVar[str] = ContextVar("tfmagic_phase", default=OTHER)


class LibrariesSummary(TypedDict):
    """The figures of a moment. None stands for what the platform does not count.

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
    """The process's shared objects over time.

    The objects that are there when this is created are the **baseline**: with ``%load_ext`` that is its first time
    in the process, in a script the first model or the first question. Reloading the extension keeps the baseline:
    TensorFlow's libraries stay loaded, and "since `%load_ext`" means: since this notebook began to load things.
    """

    def __init__(self) -> None:
        self.objects = shared_objects()
        self.at_load: CountersRecord | None = self.objects.counters()
        self.loaded_at_s = time.time()
        self.gone: deque[LoadedObject] = deque(maxlen=_KEPT)
        self._lock = threading.RLock()
        self._mark = self.objects.mark()
        self._present = {one: LoadedObject(one, self.loaded_at_s, BASELINE) for one in self.objects.listed()}
        self._finished: dict[str, FinishedPhase] = {}
        self._under_way: list[str] = []
        self._summary: LibrariesSummary | None = None

    def look(self) -> None:
        """Update the list of loaded objects.

        New objects belong to the phase of this thread, or else to the phase that another thread began last: a
        panel that looks once a second takes nothing from an import. Takes microseconds when the loader's counters
        have not moved, 0.4 ms otherwise.
        """
        with self._lock:
            mark = self.objects.mark()
            if mark == self._mark:
                return
            self._mark = mark
            listed = self.objects.listed()
            now, phase = time.time(), _PHASE.get()
            if phase == OTHER and self._under_way:
                phase = self._under_way[-1]
            before = self._present
            self._present = {one: before.get(one) or LoadedObject(one, now, phase) for one in listed}
            self.gone.extend(loaded for one, loaded in before.items() if one not in self._present)
            self._summary = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Attribute everything loaded in the block to a phase, such as ``model digits``.

        The counters before and after the last phase of each name are kept, as proof of what it loaded. Objects
        that another thread loads meanwhile count as well: the loader does not say who asked.
        """
        self.look()
        began_s, before = time.time(), self.objects.counters()
        token = _PHASE.set(name)
        with self._lock:
            self._under_way.append(name)
        try:
            yield
        finally:
            self.look()
            _PHASE.reset(token)
            with self._lock:
                self._under_way.remove(name)
                self._finished.pop(name, None)
                self._finished[name] = FinishedPhase(name, began_s, time.time(), before, self.objects.counters())
                while len(self._finished) > _KEPT:
                    del self._finished[next(iter(self._finished))]

    def present(self) -> list[LoadedObject]:
        """Return the loaded objects, in the loader's order."""
        self.look()
        return list(self._present.values())

    def files(self) -> list[LoadedFile]:
        """Return the files of the loaded objects."""
        from tfmagic.runtime.libraries.files import loaded_files

        return loaded_files(self.present())

    def finished(self) -> list[FinishedPhase]:
        """Return the finished phases, the latest last."""
        with self._lock:
            return list(self._finished.values())

    def summary(self) -> LibrariesSummary:
        """Return the current figures, which takes microseconds when nothing was loaded since the last call."""
        self.look()
        summary = self._summary
        if summary is None:
            from tfmagic.runtime.libraries.files import duplicates

            with self._lock:
                files, counters = self.files(), self.objects.counters()
                summary = self._summary = {
                    "count": len(files),
                    "of_tensorflow": sum(file.of_tensorflow for file in files),
                    "since_load": sum(file.loaded.phase != BASELINE for file in files),
                    "loads": None if counters is None else counters["loads"],
                    "unloads": None if counters is None else counters["unloads"],
                    # Without the packages' names, which take a tenth of a second to read.
                    "duplicates": len(duplicates((file.loaded.header for file in files), lambda _: None)),
                }
        return summary.copy()


def libraries() -> Libraries:
    """Return the process's libraries; the first call takes the baseline."""
    return once("libraries", Libraries)
