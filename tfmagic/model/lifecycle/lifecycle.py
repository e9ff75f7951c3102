"""Lifecycle of a model: build, state, release."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

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
from tfmagic.model.lifecycle.cells import RoomCells
from tfmagic.model.lifecycle.training import Training
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.hosted_graph import building

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tfmagic.concurrency.command_lock import CommandLock
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import Source
    from tfmagic.formats.common.written import LastSave

State = Literal["ready", "running", "stopping", "parked", "failed", "dropped"]

_POLL_S = 0.005
# Long for a run, short for a person: a queue runner never ends.
_DRAIN_S = 5.0
# From this size on, what reading a source left over is given back.
_LEFT_OVER_BYTES = 32_000_000
_AT_ONCE_S = 0.1


class BuildHooks(Protocol):
    """What manages a model's memory hears of its lifecycle."""

    def before_reading(self) -> None:
        """Act before the source is read; an error stops the build."""

    def room_for_graph(self, graph: Any) -> AbstractContextManager[None]:
        """Return the context in which a graph takes its memory while its source is still being read."""

    def before_opening(self, backend: Backend) -> None:
        """Act before a backend takes its memory."""

    def after_building(self) -> None:
        """Act once the model is built."""

    def after_release(self) -> None:
        """Act once the model can be called no more."""


class Lifecycle:
    """A model from its source to its release.

    Attributes
    ----------
    backend : Backend or None
        How the model runs; None while it is not built.
    fingerprint : object
        Tells whether the source has changed since it was read.
    saved : LastSave or None
        Where the model was last saved, and what was written.
    notes : tuple of str
        What to say about the model when it is added or shown, such as the version chosen.
    grew_bytes : int or None
        By how much the process grew when the model was built; None before that, and where it shrank meanwhile.
    is_warm : bool
        Whether the model was warmed.
    command_lock : CommandLock
        Held by the one command that changes the model.
    used_at_s : float
        When the model was last built, called, or a cell ran in its room, on the monotonic clock.
    kept_summary : tuple or None
        Weights and signatures of a model whose backend was let go, and is built again.
    hooks : BuildHooks
        Set by the model, whose memory they manage.
    """

    hooks: BuildHooks

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.command_lock = command_lock
        self.training = Training(source)
        self.cells = RoomCells(name)
        self.backend: Backend | None = None
        self.fingerprint: object = None
        self.saved: LastSave | None = None
        self.notes: tuple[str, ...] = ()
        self.grew_bytes: int | None = None
        self.failure: str | None = None
        self.is_warm = False
        self.used_at_s = time.monotonic()
        self.kept_summary: tuple[Weights, dict[str, Signature]] | None = None
        self._released: Literal["dropped", "renewed"] | None = None
        self._building = threading.RLock()

    # -- what it is ------------------------------------------------------------

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
        """What the model does at this moment."""
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
        """Return a signature, the default one if no name is given.

        Raises
        ------
        UnknownNameError
            When there is none of that name; the nearest is offered.
        """
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
        """The name of the signature that a call uses."""
        return default_among(self.name, self.built_backend().signatures, self.options.signature)

    # -- build -----------------------------------------------------------------

    def built_backend(self) -> Backend:
        """Return the backend, built now if the model was added lazily or let go.

        Raises
        ------
        ModelStateError
            When the model was dropped.
        """
        backend = self.backend
        if backend is not None and not self.is_released:
            return backend
        return self._build_once()

    @defer_interrupts
    def _build_once(self) -> Backend:
        while not self._building.acquire(blocking=False):
            # Another thread builds it.
            interruptible(partial(time.sleep, _POLL_S))
        try:
            if not self.is_released and self.backend is None:
                try:
                    self._note_source()
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
        """Build the model from its source.

        Raises
        ------
        SourceError
            When the source cannot be read; nothing is left behind.
        ParkError
            When the source of a parked model has changed, or is gone.
        """
        self.hooks.before_reading()
        with self._building, without_full_collections(), libraries().phase(f"model {self.name}"):
            # Models that are added one right after the other give memory back once.
            memory_policy().trim(_LEFT_OVER_BYTES, unless_within_s=_AT_ONCE_S)
            before_bytes = rss_bytes()
            backend, notes = self._read()
            try:
                self._open(backend)
            except BaseException:
                backend.close()
                raise
            self.failure = None
            # What reading took and has freed is no part of the model, nor is what was free before.
            grew_bytes = rss_bytes() - before_bytes
            if grew_bytes > _LEFT_OVER_BYTES and memory_policy().trim(_LEFT_OVER_BYTES):
                grew_bytes = rss_bytes() - before_bytes
            # Below zero, others gave memory back meanwhile, which hides what the model took.
            self.grew_bytes = grew_bytes if grew_bytes >= 0 else None
            self.notes = (*notes, *missing_device(self.options.device))
            self.backend = backend
            if self.is_released:
                self.backend = None
                backend.close()
                raise self.gone_error()
        self.hooks.after_building()

    def _read(self) -> tuple[Backend, tuple[str, ...]]:
        """Read the source, and return the backend with what there is to say about it."""
        from tfmagic.formats.live.copy_to_graph import built_from

        try:
            with building(self.hooks.room_for_graph):
                built = interruptible(partial(built_from, self.source, self.name, self.options))
        except Exception as error:
            self.failure = first_line(error)
            raise
        return built.backend, tuple(built.notes)

    def _open(self, backend: Backend) -> None:
        self._check_options_fit(backend)
        default_among(self.name, backend.signatures, self.options.signature)
        self.hooks.before_opening(backend)
        # In a worker: one native call reads a big file, and an initialiser can be stuck in one.
        workers().call(backend.open)
        self.training.note_first_values(backend)

    def _check_options_fit(self, backend: Backend) -> None:
        """Refuse options that only a graph can have."""
        option = "--executor" if self.options.executor is not None else "--compile" if self.options.compile else None
        if option is not None and backend.graph is None:
            msg = f"{self.name} is a live object, which runs as it is: {option} is for a --copy of it"
            raise SourceError(msg)

    # -- the source --------------------------------------------------------------

    def _note_source(self) -> None:
        """Take the fingerprint of a source that is read only now, since the model was added lazily."""
        if self.kept_summary is None and isinstance(self.source, FileSource):
            try:
                self.fingerprint = interruptible(self.source.fingerprint)
            except SourceError:
                # Reading the source says it better.
                return

    def source_change(self) -> Literal["changed", "gone"] | None:
        """Return what became of the source's file since it was read; None where it is the same."""
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
        except Exception:  # noqa: BLE001 - the person's own object: what cannot be read counts as changed
            return True

    # -- let go, and release -------------------------------------------------------

    def let_go(self, backend: Backend) -> None:
        """Close the backend, and keep its weights' sizes and its signatures; the next use builds it again."""
        self.kept_summary = backend.weights(), dict(backend.signatures)
        self.backend = None
        backend.close()

    @defer_interrupts
    def release(self, *, renewed: bool = False) -> None:
        """Refuse calls from now on, let running ones end, and free everything.

        A run that was interrupted, or goes on for more than five seconds, is cancelled.

        Parameters
        ----------
        renewed
            Whether another model takes the name.
        """
        self._released = "renewed" if renewed else "dropped"
        self.kept_summary = None
        backend, self.backend = self.backend, None
        # Each step is done, whatever another raises and whether or not the person waits:
        # nobody could reach the model any more.
        with ExitStack() as stack:
            if backend is not None:
                stack.callback(backend.close)
                ended = partial(wait_until, lambda: backend.stopping or not backend.running, _DRAIN_S)
                stack.callback(interruptible, ended)
            stack.callback(self.source.release)
            stack.callback(self.hooks.after_release)

    def gone_error(self) -> ModelStateError:
        """Return the error for a call of a model that was dropped."""
        if self._released == "renewed":
            msg = f"model {self.name!r} was dropped when its name was added again: run it again (models.{self.name})"
            return ModelStateError(msg)
        return ModelStateError(f"model {self.name!r} was dropped: add it again to run it")
