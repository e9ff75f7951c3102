"""Lifecycle of a model: build, state, release."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tfmagic.concurrency.cancel_scope import check_cancelled
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.runs import wait_until
from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.gc_pause import without_full_collections
from tfmagic.errors import (
    InputError,
    ModelStateError,
    ParkError,
    SourceError,
    UnknownNameError,
    did_you_mean,
    first_line,
)
from tfmagic.execution.signature.options import missing_device
from tfmagic.execution.signature.signature import default_among
from tfmagic.formats.common.source import FileSource
from tfmagic.model.lifecycle.room_cells import RoomCells
from tfmagic.model.lifecycle.statistics import Statistics
from tfmagic.model.lifecycle.training import Training
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.hosted_graph import memory_for_opened_graphs

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tfmagic.concurrency.command_lock import CommandLock
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import Source
    from tfmagic.formats.common.written import LastSave
    from tfmagic.runtime.state.spill import Spill

State = Literal["ready", "running", "stopping", "parked", "failed", "dropped"]

_POLL_S = 0.005
# Long for a run, short for a person: a queue runner never ends.
_DRAIN_S = 5.0
# Memory that reading a source has freed is given back from this size on.
_FREED_BYTES = 32_000_000
_NEXT_BUILD_S = 0.1


class BuildHooks(Protocol):
    """Steps of a build and a release at which the model's memory is managed."""

    def before_reading(self) -> None:
        """Run before the source is read; an error stops the build."""

    def room_for_graph(self, graph: Any) -> AbstractContextManager[None]:
        """Return the context in which a graph takes memory while its source is still being read."""

    def before_opening(self, backend: Backend) -> None:
        """Run before a backend takes its memory."""

    def after_building(self) -> None:
        """Run once the model is built."""

    def after_release(self) -> None:
        """Run once the model can no longer be called."""


class Lifecycle:
    """A model from its source to its release.

    Attributes
    ----------
    fingerprint : object
        Identifies the content of the source when it was read.
    grew_bytes : int or None
        How much the process grew when the model was built; None before that, or where the process shrank.
    used_at_s : float
        When the model was last built, called, or used by a cell, on the monotonic clock.
    kept_summary : tuple or None
        Weights and signatures of a parked model whose backend was closed.
    object_spill : Spill or None
        The file with the state of a parked live object.
    """

    # Set by the model, whose memory they manage.
    hooks: BuildHooks

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.command_lock = command_lock
        self.training = Training(source)
        self.cells = RoomCells(name)
        self.statistics = Statistics()
        self.backend: Backend | None = None
        self.fingerprint: object = None
        self.saved: LastSave | None = None
        self.notes: tuple[str, ...] = ()
        self.grew_bytes: int | None = None
        self.failure: str | None = None
        self.is_warm = False
        self.used_at_s = time.monotonic()
        self.kept_summary: tuple[Weights, dict[str, Signature]] | None = None
        self.object_spill: Spill | None = None
        self._released: Literal["dropped", "renewed"] | None = None
        self._building = threading.RLock()

    @property
    def mode(self) -> str:
        """``graph`` or ``eager``."""
        return "graph" if self.options.copy else self.source.mode

    @property
    def is_released(self) -> bool:
        """Whether the model was dropped, or another has its name."""
        return self._released is not None

    @property
    def state(self) -> State:
        """The model's state at this moment."""
        if self.is_released:
            return "dropped"
        if self.failure is not None:
            return "failed"
        # Read once: another thread may be dropping the model.
        backend = self.backend
        if backend is None or backend.parked:
            return "parked"
        if not self.cells and not backend.running:
            return "ready"
        return "stopping" if self.cells.stopping or backend.stopping else "running"

    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given; an unknown name raises UnknownNameError."""
        signatures = self.built_backend().signatures
        if name is not None and not isinstance(name, str):
            msg = (
                f"{self.name}: signature takes a signature's name, got {type(name).__name__}; "
                "an input of that name is given in a dict, as the first value"
            )
            raise InputError(msg)
        if name is None:
            return signatures[self.default_signature]
        if name not in signatures:
            msg = f"{self.name} has no signature {name!r}{did_you_mean(name, signatures)}"
            raise UnknownNameError(msg)
        return signatures[name]

    @property
    def default_signature(self) -> str:
        """The name of the signature that calls use by default."""
        return default_among(self.name, self.built_backend().signatures, self.options.signature)

    def built_backend(self) -> Backend:
        """Return the backend, built now if there is none; a dropped model raises ModelStateError."""
        backend = self.backend
        if backend is not None and not self.is_released:
            return backend
        return self._build_once()

    @defer_interrupts
    def _build_once(self) -> Backend:
        while not self._building.acquire(blocking=False):
            # Another thread is building it.
            interruptible(time.sleep, _POLL_S)
        try:
            if not self.is_released and self.backend is None:
                try:
                    if self.kept_summary is None and isinstance(self.source, FileSource):
                        # Added lazily. An error here is left to reading the source, which has a better message.
                        with suppress(SourceError):
                            self.fingerprint = interruptible(self.source.fingerprint)
                    self.build()
                except Exception:
                    events().note("failed", self.name)
                    raise
            backend = self.backend
            if self.is_released or backend is None:
                raise self.gone_error()
            return backend
        finally:
            self._building.release()

    @defer_interrupts
    def build(self) -> None:
        """Build the model from its source; an error leaves nothing behind.

        It is a SourceError where the source cannot be read, and a ParkError where the source of a
        parked model has changed or is gone.
        """
        self.hooks.before_reading()
        with self._building, without_full_collections(), libraries().phase(f"model {self.name}"):
            # Once for several models that are added in a row.
            memory_policy().trim(_FREED_BYTES, unless_within_s=_NEXT_BUILD_S)
            before_bytes = rss_bytes()
            backend, notes = self._read()
            try:
                check_cancelled()
                self._check_options_fit(backend)
                default_among(self.name, backend.signatures, self.options.signature)
                self.hooks.before_opening(backend)
                # In a worker: one native call reads a big file, and an initialiser can block in one.
                workers().call(backend.open)
                self.training.note_first_values(backend)
            except BaseException:
                backend.close()
                raise
            self.failure = None
            # Memory that reading has freed does not count, nor does memory that was free before.
            grew_bytes = rss_bytes() - before_bytes
            if grew_bytes > _FREED_BYTES and memory_policy().trim(_FREED_BYTES):
                grew_bytes = rss_bytes() - before_bytes
            # Below zero, other threads gave memory back, which hides what the model took.
            self.grew_bytes = grew_bytes if grew_bytes >= 0 else None
            self.notes = (*notes, *missing_device(self.options.device))
            self.backend = backend
            if self.is_released:
                self.backend = None
                backend.close()
                raise self.gone_error()
        self.hooks.after_building()

    def _read(self) -> tuple[Backend, tuple[str, ...]]:
        """Read the source, and return the backend and the notes about it."""
        from tfmagic.formats.live.copy_to_graph import built_from

        try:
            with memory_for_opened_graphs(self.hooks.room_for_graph):
                built = interruptible(built_from, self.source, self.name, self.options)
        except Exception as error:
            self.failure = first_line(error)
            raise
        return built.backend, tuple(built.notes)

    def _check_options_fit(self, backend: Backend) -> None:
        """Refuse options that need a graph."""
        option = "--executor" if self.options.executor is not None else "--compile" if self.options.compile else None
        if option is not None and backend.graph is None:
            msg = f"{self.name} is a live object, which runs as it is: {option} is for a --copy of it"
            raise SourceError(msg)

    def source_change(self) -> Literal["changed", "gone"] | None:
        """Return how the source's file has changed since it was read; None where it is the same."""
        if not isinstance(self.source, FileSource):
            return None
        try:
            return None if self.source.fingerprint() == self.fingerprint else "changed"
        except SourceError:
            return "gone"

    def cannot_wake_error(self, change: str) -> ParkError:
        """Return the error for a parked model whose source is ``changed`` or ``gone``."""
        return ParkError(
            f"{self.name} cannot wake: its source is {change} since it was parked ({self.source.text}); "
            "put it back, or add the model again"
        )

    def is_outdated(self) -> bool:
        """Return whether this is a copy of a live object that has changed since its values were copied."""
        copied = None if self.backend is None else self.backend.copied_values
        if copied is None:
            return False
        try:
            return workers().call(copied.has_changed)
        except Exception:  # noqa: BLE001 - from a person's object: values that cannot be read count as changed
            return True

    def close_backend(self, backend: Backend) -> None:
        """Close the backend, and keep its weights' sizes and its signatures; the next use builds a new one."""
        self.kept_summary = backend.weights(), dict(backend.signatures)
        self.backend = None
        backend.close()

    @defer_interrupts
    def release(self, *, renewed: bool = False) -> None:
        """Refuse calls, wait for running ones, and free everything; `renewed` says that a new model takes the name.

        A run that was interrupted, or goes on for more than five seconds, is cancelled.
        """
        self._released = "renewed" if renewed else "dropped"
        self.kept_summary = None
        backend, self.backend = self.backend, None
        # Every step runs, whatever another raises and also after Ctrl-C: nobody can reach the model any more.
        with ExitStack() as stack:
            if backend is not None:
                stack.callback(backend.close)
                ended = partial(wait_until, lambda: backend.stopping or not backend.running, _DRAIN_S)
                stack.callback(interruptible, ended)
            stack.callback(self.source.release)
            stack.callback(self.hooks.after_release)

    def add_note(self, note: str) -> None:
        """Add a note, once."""
        if note not in self.notes:
            self.notes = (*self.notes, note)

    def gone_error(self) -> ModelStateError:
        """Return the error for a call of a model that was dropped."""
        if self._released == "renewed":
            msg = f"model {self.name!r} was dropped when its name was added again: run it again (models.{self.name})"
            return ModelStateError(msg)
        return ModelStateError(f"model {self.name!r} was dropped: add it again to run it")
