"""What a copy has taken from its live object, and whether that object has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.runtime.values import checksum, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np

    from tfmagic.model.eager_mode import EagerMode


class Taken:
    """The values of a live object, with a number kept for each that was taken. No array is kept.

    Parameters
    ----------
    eager
        How the object is called.
    present
        Gives the object's present values.
    """

    def __init__(self, eager: EagerMode, present: Callable[[], Iterable[tuple[str, np.ndarray]]]) -> None:
        self._eager, self._present = eager, present
        self._seen: tuple[object, dict[str, int]] | None = None

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Give the object's present values, and keep a number for each."""
        # Until all were given nothing is known.
        self._seen = None
        variables, numbers = _variables(self._eager), dict[str, int]()
        for name, value in self._present():
            # First: whoever takes the array may change it.
            numbers[name] = checksum(value)
            yield name, value
        self._seen = variables, numbers

    def has_changed(self) -> bool:
        """Return whether the object has other variables, or other values, than those that were taken."""
        return self._seen != (_variables(self._eager), numbered(self._present()))


def _variables(eager: EagerMode) -> list[Any]:
    """Return which variables an object has: one that was replaced by another of the same value is another."""
    return [
        (name, id(one), str(one.shape), bool(getattr(one, "trainable", True)))
        for name, one in eager.named_variables().items()
    ]
