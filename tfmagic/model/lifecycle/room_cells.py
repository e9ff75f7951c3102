"""Cells that run in a model's room."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.runs import stopped_message
from tfmagic.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class RoomCells:
    """The cells that run in one model's room at this moment."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._scopes: dict[CancelScope, None] = {}

    def __len__(self) -> int:
        """Return how many cells run."""
        return len(self._scopes)

    @property
    def stopping(self) -> bool:
        """Whether a cancelled cell has not ended yet."""
        return any(scope.cancelled for scope in list(self._scopes))

    @contextmanager
    def running(self) -> Iterator[CancelScope]:
        """Count the block as a cell, and yield the scope with which another command can cancel it."""
        scope = CancelScope()
        self._scopes[scope] = None
        try:
            with scope:
                yield scope
        except BaseException as error:
            if scope.cancelled:
                raise scope.reason() from error
            raise
        finally:
            self._scopes.pop(scope)

    def of_others(self) -> list[CancelScope]:
        """Return the cells of all commands but the current one."""
        own = current_scope()
        return [scope for scope in list(self._scopes) if own is None or scope.root is not own.root]

    def end(self, scopes: list[CancelScope] | None = None) -> None:
        """Cancel cells, by default those of other commands: their next run is refused, and their Python stops."""
        for scope in self.of_others() if scopes is None else scopes:
            scope.cancel(lambda: StoppedError(stopped_message(f"model {self._model!r}")))
