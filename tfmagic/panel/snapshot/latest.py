"""The latest snapshot, made once for every panel that watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.process import once
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.panel.snapshot.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.panel.snapshot.snapshot import Snapshot


class LatestSnapshot:
    """Makes a snapshot whenever the sampler ticks; `snapshot` is None before the first tick."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def update(self) -> None:
        """Make a snapshot, and note in the history what it shows."""
        self.snapshot = snapshot()
        history().note(self.snapshot)

    def watch(self, show: Callable[[Snapshot], None], interval_s: Callable[[], float | None]) -> Callable[[], None]:
        """Have `show` called with every snapshot from now on, as `Sampler.watch` has it; return what ends that."""

        def show_latest() -> None:
            if self.snapshot is not None:
                show(self.snapshot)

        return sampler().watch(show_latest, interval_s)


def latest_snapshot() -> LatestSnapshot:
    """Return the process's latest snapshot."""
    return once("latest snapshot", LatestSnapshot)
