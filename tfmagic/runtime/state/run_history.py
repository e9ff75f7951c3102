"""What has run on a graph since it was filled with the values of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.runtime.graph.operations import may_write

if TYPE_CHECKING:
    from collections.abc import Iterable


class RunHistory:
    """Tells, without reading values, whether a graph can hold other values than its source gave.

    ``changed`` tells whether anything but prepared calls has run, ``assigned`` whether variables were assigned other
    than by runs whose fetches are known. ``age`` grows before every run of something new: what was derived from the
    values at an earlier age must be derived again.
    """

    def __init__(self) -> None:
        self.changed = False
        self.assigned = False
        self.age = 0
        self._fetched: set[tuple[str, ...]] = set()

    def note(self, fetches: tuple[str, ...] | None, *, prepared: bool = False) -> None:
        """Note a run, or prepared call, before it begins; `fetches` is None if the names are not known."""
        self.changed = self.changed or not prepared
        if fetches is None:
            self.age += 1
        elif fetches not in self._fetched:
            self._fetched.add(fetches)
            self.age += 1

    def note_assignment(self) -> None:
        """Note that variables are about to be assigned in some other way."""
        self.changed = self.assigned = True
        self.age += 1

    def may_have_written(self, graph: Any) -> bool:
        """Return whether anything that was run can have changed a variable or table of the graph."""
        return self.assigned or may_write(graph, self.fetched)

    @property
    def fetched(self) -> set[str]:
        """The names of everything that runs have fetched."""
        return {name for names in list(self._fetched) for name in names}

    def fetched_so_far(self) -> Iterable[tuple[str, ...]]:
        """Return the fetches until now, for `note_fill`."""
        return frozenset(self._fetched)

    def note_fill(self, fetched_before: Iterable[tuple[str, ...]], *, restored: bool) -> None:
        """Note that the graph has been filled with the values of its source, or `restored` with learnt ones.

        `fetched_before` is `fetched_so_far` from before the fill, whose own runs do not count.
        """
        self.changed = restored
        self._fetched.intersection_update(fetched_before if restored else ())
        self.assigned = self.assigned and restored
        self.age += 1
