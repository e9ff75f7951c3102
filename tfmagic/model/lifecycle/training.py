"""Training of a model: whether its values have changed, and whether they are saved."""

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
    """Detects training by checksums of a model's variables.

    `first_values` are the checksums after the first build of a cell's model. `came_unsaved` is
    whether the values that the model was built with are in no file that stays.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.first_values: dict[str, int] | None = None
        self.came_unsaved = False
        self._safe_values: dict[str, int] | None = None

    def note_first_values(self, backend: Backend) -> None:
        """Take the checksums of a cell's new variables, at the first build only."""
        if self._source.loses_training and self.first_values is None:
            self.first_values = workers().call(lambda: checksums(backend.values()))

    def note_safe(self, backend: Backend) -> None:
        """Note that a file or the live object has the present values too."""
        self._safe_values = (
            workers().call(lambda: checksums(backend.trained_values())) if backend.may_be_trained else None
        )
        self.came_unsaved = False

    def rename_variables(self, names: Iterable[str]) -> None:
        """Give the checksums new names in the same order: Keras may have numbered its layers differently."""
        names = list(names)
        self.first_values, self._safe_values = (
            None if sums is None else dict(zip(names, sums.values(), strict=False))
            for sums in (self.first_values, self._safe_values)
        )

    def changed_variables(self, backend: Backend) -> set[str]:
        """Return the variables whose values differ from their first ones."""
        # A table has no first checksum: it begins empty, and is never carried over.
        first = self.first_values or {}
        return {name for name, checksum in checksums(backend.trained_values()).items() if first.get(name) != checksum}

    def differs_from_saved(self, values: Callable[[], Iterable[tuple[str, np.ndarray]]], *, by_name: bool) -> bool:
        """Return whether values differ from the last saved ones; values that cannot be read do.

        `values` is called in a worker. Without `by_name` values are compared in their order.
        """
        safe = self.first_values if self._safe_values is None else self._safe_values
        if safe is None:
            return True

        def differ() -> bool:
            present = checksums(values())
            return present != safe if by_name else list(present.values()) != list(safe.values())

        try:
            return workers().call(differ)
        except Exception:  # noqa: BLE001 - also from a person's object: a drop goes on, whatever it raises
            return True
