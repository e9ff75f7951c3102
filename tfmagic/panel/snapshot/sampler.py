"""The one thread that ticks: it gives free memory back, and updates the panels that watch."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.process import once
from tfmagic.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

WATCHED_S = 1.0
"""Seconds between two ticks while somebody watches, unless `panel_interval` says otherwise."""

ASLEEP_S = 5.0
"""Seconds between two ticks while nobody watches."""

INTERVALS_S = (0.1, 60.0)
"""The shortest and the longest interval, in seconds, while somebody watches."""


def is_interval(value: object) -> bool:
    """Return whether a value is a possible interval, in seconds."""
    shortest, longest = INTERVALS_S
    return isinstance(value, (int, float)) and not isinstance(value, bool) and shortest <= value <= longest


# The cost is the mean over the ticks of the last half minute, as one tick in ten takes longer.
_RECENT_S = 30.0
_TICKS = 300


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


class Sampler:
    """Calls functions once an interval, in a thread of its own: `always` at every tick, watchers while there are any.

    It takes the GIL for less than a millisecond and holds no lock while it calls. An
    error in one call does not affect the others.
    """

    def __init__(self) -> None:
        self.watched_s = WATCHED_S
        self.always: list[Callable[[], None]] = []
        self._watchers: list[tuple[Callable[[], None], Callable[[], float | None]]] = []
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ticks: deque[tuple[float, float]] = deque(maxlen=_TICKS)

    @property
    def interval_s(self) -> float:
        """The time from one tick to the next: the shortest that a watcher wants."""
        return min((wanted_s() or self.watched_s for _, wanted_s in self._watchers), default=ASLEEP_S)

    def choose(self, interval_s: float) -> None:
        """Set the interval for watchers that want no other, from 0.1 to 60 seconds."""
        if not is_interval(interval_s):
            shortest, longest = INTERVALS_S
            msg = f"panel_interval is a number of seconds from {shortest:g} to {longest:g}, got {interval_s:g}"
            raise SettingError(msg)
        self.watched_s = interval_s
        self.wake()

    def start(self) -> None:
        """Start the thread if it does not run."""
        with self._lock:
            if self._thread is None:
                self._wake = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._wake,), name="tfmagic-sampler", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """End the thread; the watchers stay for the next start."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def watch(
        self, call: Callable[[], None], interval_s: Callable[[], float | None] = lambda: None
    ) -> Callable[[], None]:
        """Call a function now and at every tick; return what ends that.

        `interval_s` gives the interval that the watcher wants; None leaves it to `watched_s`.
        """
        watcher = (call, interval_s)
        self._watchers = [*self._watchers, watcher]
        self._wake.set()

        def end() -> None:
            self._watchers = [other for other in self._watchers if other is not watcher]

        return end

    def wake(self) -> None:
        """Tick now, if somebody watches."""
        if self._watchers:
            self._wake.set()

    def record(self) -> SamplerRecord:
        """Return what the ticks cost."""
        begun_s = time.monotonic() - _RECENT_S
        recent = [taken_s for at_s, taken_s in list(self._ticks) if at_s >= begun_s]
        tick_s = sum(recent) / len(recent) if recent else None
        return {
            "interval_s": self.interval_s,
            "tick_s": tick_s,
            "share": None if tick_s is None else tick_s / self.interval_s,
        }

    def _run(self, wake: threading.Event) -> None:
        # Not at once: the cell that loads tfmagic still runs.
        wake.wait(self.interval_s)
        while self._wake is wake and self._thread is not None:
            at_s, began_s = time.monotonic(), time.thread_time()
            self._tick()
            self._ticks.append((time.monotonic(), time.thread_time() - began_s))
            wake.clear()
            if self._thread is not None:
                # Beside a loop in Python a tick waits long for the GIL; the loop shall get half of the time at least.
                left_s = self.interval_s - (time.monotonic() - at_s)
                wake.wait(max(left_s, self.interval_s / 2))

    def _tick(self) -> None:
        for call in (*self.always, *(call for call, _ in self._watchers)):
            try:
                call()
            except Exception:
                # In the log: the cell that runs now is not to blame.
                logging.getLogger("tfmagic").exception("the sampler could not do its work")


def sampler() -> Sampler:
    """Return the process's sampler."""
    return once("sampler", Sampler)
