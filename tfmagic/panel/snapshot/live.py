"""The latest snapshot, made once for all who watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.process import once
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.panel.snapshot.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.panel.snapshot.snapshot import Snapshot


class Live:
    """Makes a snapshot at each of the sampler's looks.

    Attributes
    ----------
    latest : Snapshot or None
        The last one; None before the first look.
    """

    def __init__(self) -> None:
        self.latest: Snapshot | None = None

    def look(self) -> None:
        """Make a snapshot, and remember what it shows."""
        self.latest = snapshot()
        history().note(self.latest)

    def watch(self, shown: Callable[[Snapshot], None], interval_s: Callable[[], float | None]) -> Callable[[], None]:
        """Have every snapshot shown from now on; return what ends that.

        Parameters
        ----------
        shown
            Takes each.
        interval_s
            Says how often it wants one; None leaves that to the sampler.
        """

        def show() -> None:
            if self.latest is not None:
                shown(self.latest)

        return sampler().watch(show, interval_s)


def live() -> Live:
    """Return the process's latest snapshot."""
    return once("live", Live)
