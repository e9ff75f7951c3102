"""Parking a graph: its native session is closed; its values go to a file, or are read from the source again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.paths import stamps_in
from tfmagic.errors import ModelStateError, SourceError
from tfmagic.execution.backends.xla import XlaCompiler
from tfmagic.formats.common.source import FileSource
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.state.kept_state import OnDisk
from tfmagic.runtime.state.spill_directory import park_directory
from tfmagic.runtime.state.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.room.variables import Weights
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

# Up to this size, constants stay in memory with a parked graph.
_CONSTANTS_BYTES = 4_000_000
_EMPTY_ON_WAKE = ("Queue", "Stack", "Barrier", "Iterator", "Reader")


@dataclass(frozen=True)
class ParkGraph:
    """Parks a model that runs in a graph."""

    stays_because: ClassVar[str | None] = None
    lifecycle: Lifecycle
    backend: GraphBackend
    room_for: Callable[[Weights], AbstractContextManager[None]]

    def before_opening(self) -> None:
        """Apply the options of calls, and make room whenever the graph takes its memory."""
        self.backend.room.note_built()
        options = self.lifecycle.options
        self.backend.executor = options.executor
        self.backend.compiled = XlaCompiler(self.backend.graph, self.backend.room.label) if options.compile else None
        record = hosted(self.backend.graph)
        record.memory_context = self._arriving
        if record.opened is not None:
            # Its cell has opened the graph, which may have grown since.
            with self._arriving():
                pass

    def park(self) -> tuple[int, list[str]]:
        """Free the memory; return the bytes written, and notes of what will be different after waking.

        A running graph raises ModelStateError, a file that cannot be written ParkError.
        """
        weights = self.backend.weights()
        only_constants = not weights.variables and not tables_of(self.backend.graph)
        if only_constants and weights.constants_bytes > _CONSTANTS_BYTES and self._source_gives_first_values():
            # The memory of constants is freed only with the graph.
            notes = lost_names(self.backend.room)
            if not hosted(self.backend.graph).park(lambda _: OnDisk(None)):
                raise self._running_error()
            self.lifecycle.close_backend(self.backend)
            return 0, notes
        park = partial(self.backend.park, park_directory().place, source_unchanged=self._source_gives_first_values())
        # In a worker: a large file takes its time, and Ctrl-C shall come back.
        written_bytes = workers().call(park)
        if written_bytes is None:
            raise self._running_error()
        return written_bytes, self._notes(weights)

    def wake(self) -> None:
        """Open the graph again."""
        workers().call(self.backend.wake)

    def _running_error(self) -> ModelStateError:
        return ModelStateError(f"{self.lifecycle.name} is running, and only an idle model can be parked")

    def _source_gives_first_values(self) -> bool:
        return isinstance(self.lifecycle.source, FileSource) and self.lifecycle.source_change() is None

    def _notes(self, weights: Weights) -> list[str]:
        notes = []
        if weights.constants_bytes > _CONSTANTS_BYTES:
            notes.append("the constants stay in memory: they are part of its graph")
        kinds = {
            kind.lower()
            for op in self.backend.graph.get_operations()
            for kind in _EMPTY_ON_WAKE
            if kind in op.type and not op.inputs
        }
        if kinds:
            notes.append(f"begins empty when it wakes: its {' and '.join(sorted(kinds))}")
        return notes

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        """Make room for the graph, which takes its memory in the block."""
        was_parked = self.backend.parked
        with self.room_for(self.backend.weights()):
            self._check_source()
            yield
        if was_parked:
            events().note("woken", self.lifecycle.name)

    def _check_source(self) -> None:
        """Check that a graph that is opened again gets the weights that it had."""
        lifecycle, backend = self.lifecycle, self.backend
        if not backend.parked:
            is_read_again = backend is lifecycle.backend and not (backend.is_kept or backend.source_is_in_memory)
            if is_read_again and any(file.has_other_content() for file in stamps_in(lifecycle.fingerprint)):
                msg = f"{lifecycle.name}: {lifecycle.source.where} has changed since it was loaded: add it again"
                raise SourceError(msg)
            return
        change = lifecycle.source_change()
        if change is None:
            return
        if not backend.is_spilled:
            raise lifecycle.cannot_wake_error(change)
        lifecycle.add_note(
            f"{lifecycle.name}: its source is {change} since it was parked; it wakes with the weights that were parked"
        )


def lost_names(room: Room) -> list[str]:
    """Return a note of the names that cells added to a room, which building the model again does not define."""
    names = [name for name in room.names if name not in room.names_at_build]
    return [f"names of its room that are gone when it wakes: {', '.join(names)}"] if names else []
