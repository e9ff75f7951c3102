"""What a copy has taken from its live object, and whether that object has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.execution.backends.object_settings import settings_of
from tfmagic.runtime.state.variables_io import checksum, checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np


class CopiedValues:
    """The values and settings of a live object, with a number kept for each that was taken. No array is kept.

    It is made before the object is made a graph.

    Parameters
    ----------
    live
        The object.
    named_variables
        Gives its variables by name.
    present
        Gives its present values.
    """

    def __init__(
        self,
        live: Any,
        named_variables: Callable[[], Mapping[str, Any]],
        present: Callable[[], Iterable[tuple[str, np.ndarray]]],
    ) -> None:
        self._live, self._named_variables, self._present = live, named_variables, present
        self._seen: tuple[object, dict[str, int]] | None = None
        self._variables: list[Any] = []
        self._settings = settings_of(live)
        self._uncounted: set[tuple[int, str]] = set()

    def note_graph(self) -> None:
        """Note that the object is a graph now, with the settings that it has."""
        before, self._settings = self._settings, settings_of(self._live)
        # What a call changes, such as a number that counts them, says nothing of the next answers.
        self._uncounted = {one for one, number in before.items() if self._settings.get(one) != number}
        self._uncounted.update(one for one, number in self._settings.items() if number is None)
        self._variables = _identities(self._named_variables())

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Give the object's present values, and keep a number for each."""
        # Until all were given nothing is known.
        self._seen = None
        trainable, numbers = _trainable(self._named_variables()), dict[str, int]()
        for name, value in self._present():
            # First: whoever takes the array may change it.
            numbers[name] = checksum(value)
            yield name, value
        self._seen = trainable, numbers

    def has_changed(self) -> bool:
        """Return whether the object has other variables, values or settings than those that were taken."""
        return self.needs_a_new_graph() or self._seen != (
            _trainable(self._named_variables()),
            checksums(self._present()),
        )

    def needs_a_new_graph(self) -> bool:
        """Return whether the object has other variables or settings, so that its values alone are not enough."""
        settings = settings_of(self._live)
        uncounted = self._uncounted.union(one for one, number in settings.items() if number is None)
        changed = {one for one in settings.keys() | self._settings if settings.get(one) != self._settings.get(one)}
        return bool(changed - uncounted) or _identities(self._named_variables()) != self._variables


def _identities(variables: Mapping[str, Any]) -> list[Any]:
    """Return what tells a variable from one that took its place with the same value."""
    return [(name, id(variable), str(variable.shape)) for name, variable in variables.items()]


def _trainable(variables: Mapping[str, Any]) -> list[bool]:
    return [bool(getattr(variable, "trainable", True)) for variable in variables.values()]
