"""What was run on a graph since its values were those of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.runtime.graph.side_effects import may_write

if TYPE_CHECKING:
    from collections.abc import Iterable


class History:
    """Tells whether a graph can hold other values than its source gave, without reading any.

    Attributes
    ----------
    changed : bool
        Whether anything but prepared calls was run.
    assigned : bool
        Whether variables were given values otherwise than by runs whose fetches are known.
    age : int
        Grows whenever something is about to run that was not run before: what was found out
        about the values by then is to be found out again.
    """

    def __init__(self) -> None:
        self.changed = False
        self.assigned = False
        self.age = 0
        self._fetched: set[tuple[str, ...]] = set()

    def note(self, fetches: tuple[str, ...] | None, *, prepared: bool = False) -> None:
        """Note what is about to be fetched; None where nobody can tell what that is.

        Parameters
        ----------
        fetches
            Names of tensors and operations.
        prepared
            Whether it is by a prepared call.
        """
        self.changed = self.changed or not prepared
        if fetches is None:
            self.age += 1
        elif fetches not in self._fetched:
            self._fetched.add(fetches)
            self.age += 1

    def note_assignment(self) -> None:
        """Note that variables are about to get values, by whatever way."""
        self.changed = self.assigned = True
        self.age += 1

    def may_have_written(self, graph: Any) -> bool:
        """Return whether anything that was run can have changed a variable or table of the graph."""
        return self.assigned or may_write(graph, self.fetched)

    @property
    def fetched(self) -> set[str]:
        """Everything that runs have fetched."""
        return {name for names in list(self._fetched) for name in names}

    def mark(self) -> Iterable[tuple[str, ...]]:
        """Return what was fetched until now, for `begin_anew`."""
        return frozenset(self._fetched)

    def begin_anew(self, before: Iterable[tuple[str, ...]], *, restored: bool) -> None:
        """Note that the graph has been filled.

        Parameters
        ----------
        before
            The mark from before, for what the fill itself has run changed nothing.
        restored
            Whether it was with values that it had learnt, and not with those of its source.
        """
        self.changed = restored
        self._fetched.intersection_update(before if restored else ())
        self.assigned = self.assigned and restored
        self.age += 1
