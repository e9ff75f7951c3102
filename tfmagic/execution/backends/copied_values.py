"""What a copy has taken from its live object, and whether that object has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.execution.backends.object_settings import settings_of
from tfmagic.runtime.state.variables_io import checksum, checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from tfmagic.execution.backends.eager import EagerBackend


class Taken:
    """The values and settings of a live object, with a number kept for each that was taken. No array is kept.

    It is made before the object is made a graph.

    Parameters
    ----------
    eager
        How the object is called.
    present
        Gives the object's present values.
    """

    def __init__(self, eager: EagerBackend, present: Callable[[], Iterable[tuple[str, np.ndarray]]]) -> None:
        self._eager, self._present = eager, present
        self._seen: tuple[object, dict[str, int]] | None = None
        self._variables: list[Any] = []
        self._settings = settings_of(eager.live)
        self._uncounted: set[tuple[int, str]] = set()

    def note_graph(self) -> None:
        """Note that the object is a graph now, with the settings that it has."""
        before, self._settings = self._settings, settings_of(self._eager.live)
        # What a call changes, such as a number that counts them, says nothing of the next answers.
        self._uncounted = {one for one, number in before.items() if self._settings.get(one) != number}
        self._uncounted.update(one for one, number in self._settings.items() if number is None)
        self._variables = _variables(self._eager)

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Give the object's present values, and keep a number for each."""
        # Until all were given nothing is known.
        self._seen = None
        trainable, numbers = _trainable(self._eager), dict[str, int]()
        for name, value in self._present():
            # First: whoever takes the array may change it.
            numbers[name] = checksum(value)
            yield name, value
        self._seen = trainable, numbers

    def has_changed(self) -> bool:
        """Return whether the object has other variables, values or settings than those that were taken."""
        return self.needs_a_new_graph() or self._seen != (_trainable(self._eager), checksums(self._present()))

    def needs_a_new_graph(self) -> bool:
        """Return whether the object has other variables or settings, so that its values alone are not enough."""
        settings = settings_of(self._eager.live)
        uncounted = self._uncounted.union(one for one, number in settings.items() if number is None)
        changed = {one for one in settings.keys() | self._settings if settings.get(one) != self._settings.get(one)}
        return bool(changed - uncounted) or _variables(self._eager) != self._variables


def _variables(eager: EagerBackend) -> list[Any]:
    """Return which variables an object has: one that was replaced by another of the same value is another."""
    return [(name, id(one), str(one.shape)) for name, one in eager.named_variables().items()]


def _trainable(eager: EagerBackend) -> list[bool]:
    return [bool(getattr(one, "trainable", True)) for one in eager.named_variables().values()]
