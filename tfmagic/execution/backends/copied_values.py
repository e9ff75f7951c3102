"""The values and settings that a copy was made from, and whether its live object has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.execution.backends.object_settings import settings_of
from tfmagic.runtime.state.variables_io import checksum, checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np


class CopiedValues:
    """Checksums of a live object's values and settings when they were copied. No array is kept.

    It is created before the object is traced. `named_variables` gives the object's variables
    by name, and `present` its present values.
    """

    def __init__(
        self,
        live: Any,
        named_variables: Callable[[], Mapping[str, Any]],
        present: Callable[[], Iterable[tuple[str, np.ndarray]]],
    ) -> None:
        self._live, self._named_variables, self._present = live, named_variables, present
        self._copied: tuple[list[bool], dict[str, int]] | None = None
        self._variables: list[Any] = []
        self._settings = settings_of(live)
        self._ignored: set[tuple[int, str]] = set()

    def note_traced(self) -> None:
        """Note that the object has been traced, with its present settings."""
        before, self._settings = self._settings, settings_of(self._live)
        # Settings that a call changes, such as a counter of calls, do not decide later results.
        self._ignored = {key for key, number in before.items() if self._settings.get(key) != number}
        self._ignored.update(key for key, number in self._settings.items() if number is None)
        self._variables = _identities(self._named_variables())

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the object's present values, and keep a checksum of each."""
        # Unknown until all values are copied.
        self._copied = None
        trainable, sums = _trainable(self._named_variables()), dict[str, int]()
        for name, value in self._present():
            # Before the yield: the caller may change the array.
            sums[name] = checksum(value)
            yield name, value
        self._copied = trainable, sums

    def has_changed(self) -> bool:
        """Return whether the object has other variables, values or settings than those that were copied."""
        return self.needs_a_new_graph() or self._copied != (
            _trainable(self._named_variables()),
            checksums(self._present()),
        )

    def needs_a_new_graph(self) -> bool:
        """Return whether the object has other variables or settings, so that its values alone are not enough."""
        settings = settings_of(self._live)
        ignored = self._ignored.union(key for key, number in settings.items() if number is None)
        changed = {key for key in settings.keys() | self._settings if settings.get(key) != self._settings.get(key)}
        return bool(changed - ignored) or _identities(self._named_variables()) != self._variables


def _identities(variables: Mapping[str, Any]) -> list[Any]:
    """Return name, identity and shape of each variable: a new variable may have the same name and value."""
    return [(name, id(variable), str(variable.shape)) for name, variable in variables.items()]


def _trainable(variables: Mapping[str, Any]) -> list[bool]:
    return [bool(getattr(variable, "trainable", True)) for variable in variables.values()]
