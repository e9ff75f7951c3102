"""The one thread that looks at what there is while nobody asks: it gives back what is free, and tells who watches."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.process import once
from tfmagic.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

ASLEEP_S = 5.0
"""How long it sleeps between two looks while nobody watches."""

INTERVALS_S = (0.1, 60.0)
"""The shortest and the longest interval while somebody watches."""


def is_interval(value: object) -> bool:
    """Return whether it is a number of seconds that can be an interval."""
    shortest, longest = INTERVALS_S
    return isinstance(value, (int, float)) and not isinstance(value, bool) and shortest <= value <= longest


# Of which looks its cost is the mean: those of the last half minute. One in ten looks at what takes longer.
_RECENT_S = 30.0
_LOOKS = 300


class SamplerRecord(TypedDict):
    """What the sampler itself costs. None stands for what is not known yet.

    Attributes
    ----------
    interval_s
        The time from one look to the next.
    tick_s
        The processor time that a look takes: the mean of the last half minute.
    share
        The same as a share of one core.
    """

    interval_s: float
    tick_s: float | None
    share: float | None


def _no_wish() -> None:
    return None


@dataclass(frozen=True, eq=False)
class Watcher:
    """What is called at every look, and how often it wants to be."""

    called: Callable[[], None]
    interval_s: Callable[[], float | None]


class Sampler:
    """Calls what is to be done once an interval, in a thread of its own.

    It takes the GIL for less than a millisecond, holds no lock while it calls, and
    an error in one call keeps the others from nothing.

    Attributes
    ----------
    watched_s : float
        The interval while somebody watches who wants no other.
    always : list of callable
        Called at every look.
    """

    def __init__(self) -> None:
        self.watched_s = 1.0
        self.always: list[Callable[[], None]] = []
        self._watchers: list[Watcher] = []
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._changing = threading.Lock()
        self._looks: deque[tuple[float, float]] = deque(maxlen=_LOOKS)

    @property
    def interval_s(self) -> float:
        """The time from one look to the next: the shortest that who watches wants."""
        return min((watcher.interval_s() or self.watched_s for watcher in self._watchers), default=ASLEEP_S)

    def choose(self, interval_s: float) -> None:
        """Set the interval while somebody watches who wants no other.

        Raises
        ------
        SettingError
            When it is no number of seconds from 0.1 to 60.
        """
        if not is_interval(interval_s):
            shortest, longest = INTERVALS_S
            msg = f"panel_interval is a number of seconds from {shortest:g} to {longest:g}, got {interval_s:g}"
            raise SettingError(msg)
        self.watched_s = interval_s
        self.wake()

    def start(self) -> None:
        """Begin, if it has not."""
        with self._changing:
            if self._thread is None:
                self._woken = threading.Event()
                self._thread = threading.Thread(
                    target=self._look_again_and_again, args=(self._woken,), name="tfmagic-sampler", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """End the thread; who watches goes on watching when it begins again."""
        with self._changing:
            thread, self._thread = self._thread, None
            self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def watch(
        self, called: Callable[[], None], interval_s: Callable[[], float | None] = _no_wish
    ) -> Callable[[], None]:
        """Have a function called at every look, the first one now; return what ends that.

        Parameters
        ----------
        called
            What is called.
        interval_s
            Says how often it wants to be; None leaves that to `watched_s`.
        """
        watcher = Watcher(called, interval_s)
        self._watchers = [*self._watchers, watcher]
        self._woken.set()

        def end() -> None:
            self._watchers = [one for one in self._watchers if one is not watcher]

        return end

    def wake(self) -> None:
        """Look now, where somebody watches."""
        if self._watchers:
            self._woken.set()

    def record(self) -> SamplerRecord:
        """Return what it costs."""
        begun_s = time.monotonic() - _RECENT_S
        recent = [taken_s for at_s, taken_s in list(self._looks) if at_s >= begun_s]
        tick_s = sum(recent) / len(recent) if recent else None
        return {
            "interval_s": self.interval_s,
            "tick_s": tick_s,
            "share": None if tick_s is None else tick_s / self.interval_s,
        }

    def _look_again_and_again(self, woken: threading.Event) -> None:
        # Not at once: the cell that loads this is still busy with it.
        woken.wait(self.interval_s)
        while self._woken is woken and self._thread is not None:
            at_s, began_s = time.monotonic(), time.thread_time()
            self._look()
            self._looks.append((time.monotonic(), time.thread_time() - began_s))
            woken.clear()
            if self._thread is not None:
                # In the middle of a loop in Python a look waits long for its turn; it shall not take all of them.
                left_s = self.interval_s - (time.monotonic() - at_s)
                woken.wait(max(left_s, self.interval_s / 2))

    def _look(self) -> None:
        for called in (*self.always, *(watcher.called for watcher in self._watchers)):
            try:
                called()
            except Exception:
                # Said in the log, and not in a cell that has nothing to do with it.
                logging.getLogger("tfmagic").exception("the sampler could not do its work")


def sampler() -> Sampler:
    """Return the process's sampler."""
    return once("sampler", Sampler)
