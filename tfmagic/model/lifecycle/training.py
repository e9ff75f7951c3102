"""What a model has learnt: whether its values changed, and whether they are anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.concurrency.workers import workers
from tfmagic.runtime.state.variables_io import checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.formats.common.source import Source


class Training:
    """Checksums of a model's variables, by which training shows. No value is kept.

    Attributes
    ----------
    first_values : dict or None
        For the model of a cell, a checksum of each variable's first value.
    came_unsaved : bool
        Whether the values it was built with are in no file that stays.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.first_values: dict[str, int] | None = None
        self.came_unsaved = False
        self._safe_values: dict[str, int] | None = None

    def note_first_values(self, backend: Backend) -> None:
        """Take the checksums of what a cell has just made, at its first build only."""
        if self._source.loses_training and self.first_values is None:
            self.first_values = workers().call(lambda: checksums(backend.values()))

    def note_safe(self, backend: Backend) -> None:
        """Note that the present values are somewhere else too: in a file, or in the live object."""
        self._safe_values = (
            workers().call(lambda: checksums(backend.trained_values())) if backend.may_be_trained else None
        )
        self.came_unsaved = False

    def rename_variables(self, names: Iterable[str]) -> None:
        """Give the checksums the names of the variables in their order: Keras may have numbered its layers on."""
        names = list(names)
        self.first_values, self._safe_values = (
            None if numbers is None else dict(zip(names, numbers.values(), strict=False))
            for numbers in (self.first_values, self._safe_values)
        )

    def changed_variables(self, backend: Backend) -> set[str]:
        """Return the variables whose values differ from their first ones."""
        # A table begins empty, and is never carried over.
        first = self.first_values or {}
        return {name for name, number in checksums(backend.trained_values()).items() if first.get(name) != number}

    def differs_from_saved(self, values: Callable[[], Iterable[tuple[str, np.ndarray]]], *, by_name: bool) -> bool:
        """Return whether values differ from those last known to be safe; unknown counts as different.

        Parameters
        ----------
        values
            Gives names and values; called in a worker.
        by_name
            Whether the names are the same; else the order decides.
        """
        safe = self.first_values if self._safe_values is None else self._safe_values
        if safe is None:
            return True

        def differ() -> bool:
            present = checksums(values())
            return present != safe if by_name else list(present.values()) != list(safe.values())

        try:
            return workers().call(differ)
        except Exception:  # noqa: BLE001 - of the person's own object, too: a drop goes on, whatever it raises
            return True
