"""The life of a model: built when it is needed, running, stopping, dropped."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import Errand, errand
from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.runs import wait_until
from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.gc_pause import without_full_collections
from tfmagic.errors import InputError, ModelStateError, SourceError, UnknownNameError, did_you_mean
from tfmagic.execution.signature.options import missing_device
from tfmagic.execution.signature.signature import default_among
from tfmagic.model.running.statistics import first_line
from tfmagic.model.running.stop import stopped, tell
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.hosted_graph import building
from tfmagic.runtime.state.variables_io import checksums

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.namespace import Names
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import Source
    from tfmagic.formats.common.written import Saved
    from tfmagic.model.running.stop import StopRecord

_POLL_S = 0.005
# Long for a run, short for a person: a queue runner would never end by itself.
_DRAIN_S = 5.0
# From how much on it is worth giving back what reading a source has left over.
_LEFT_OVER_BYTES = 32_000_000
_AT_ONCE_S = 0.1


class Life:
    """What a model is at each time; how it is called is told by what builds on this.

    Attributes
    ----------
    name : str
        Its name.
    source : Source
        Where it came from, and so how to get it again.
    notes : tuple of str
        What there was to say when it was added, such as the version chosen.
    began_with : dict or None
        For the model of a cell, a number for each variable's first value, which
        tells whether it was trained since.
    safe_with : dict or None
        The same for what it had learnt when that was last somewhere else too, in a
        file or in the live object; None where it had learnt nothing by then.
    came_unsaved : bool
        Whether what it was built with is in no file that stays.
    saved : Saved or None
        Where it was last saved, and what was written.
    grew_bytes : int or None
        By how much the process grew when it was built; None before that, and where it
        became smaller meanwhile.
    command_lock : CommandLock
        Whose command it is to change the model.
    """

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock | None = None) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.fingerprint: object = None
        self.notes: tuple[str, ...] = ()
        self.began_with: dict[str, int] | None = None
        self.safe_with: dict[str, int] | None = None
        self.came_unsaved = False
        self.saved: Saved | None = None
        self.grew_bytes: int | None = None
        self.command_lock = command_lock or CommandLock(name)
        self.used_at_s = time.monotonic()
        self.is_warmed = False
        self._backend: GraphBackend | EagerBackend | None = None
        self._coming: Weights | None = None
        self._building = threading.RLock()
        self._cells: dict[Errand, None] = {}
        self._dropped = self._renewed = False
        self._failure: str | None = None

    # -- what it is ------------------------------------------------------------

    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given.

        Raises
        ------
        UnknownNameError
            When there is none of that name; the nearest is offered.
        """
        signatures = self.backend_now().signatures
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
    def signatures(self) -> Mapping[str, Signature]:
        """All signatures by name."""
        return dict(self.backend_now().signatures)

    @property
    def default_signature(self) -> str:
        """The name of the signature that a call uses."""
        return default_among(self.name, self.backend_now().signatures, self.options.signature)

    @property
    def names(self) -> Names:
        """The Python names of the model's room."""
        return self.backend_now().room.names

    @property
    def graph(self) -> Any:
        """The model's graph; None in eager mode."""
        return self.backend_now().graph

    @property
    def live(self) -> Any:
        """The live object of an eager model; None in graph mode."""
        return self.backend_now().live

    @property
    def mode(self) -> str:
        """``graph`` or ``eager``."""
        return "graph" if self.options.copy else self.source.mode

    @property
    def state(self) -> str:
        """``ready``, ``running``, ``stopping``, ``parked``, ``failed`` or ``dropped``."""
        if self._dropped:
            return "dropped"
        if self._failure is not None:
            return "failed"
        # Looked at once: another thread may be dropping the model.
        backend = self._backend
        if backend is None or backend.parked:
            return "parked"
        if not self._cells and not backend.running:
            return "ready"
        given_up = any(cell.given_up_at is not None for cell in list(self._cells))
        return "stopping" if given_up or backend.stopping else "running"

    # -- how it comes to be, and goes ------------------------------------------------

    def backend_now(self) -> GraphBackend | EagerBackend:
        """Return how the model runs, built now if it was added lazily.

        Raises
        ------
        ModelStateError
            When the model was dropped.
        """
        backend = self._backend
        if backend is not None and not self._dropped:
            return backend
        return self._built_once()

    @defer_interrupts
    def _built_once(self) -> GraphBackend | EagerBackend:
        __tracebackhide__ = True
        while not self._building.acquire(blocking=False):
            # Another thread builds it.
            interruptible(partial(time.sleep, _POLL_S))
        try:
            if not self._dropped and self._backend is None:
                try:
                    self._note_source()
                    self.build()
                except Exception:
                    events().note("failed", self.name)
                    raise
            backend = self._backend
            if self._dropped or backend is None:
                raise self._gone()
            return backend
        finally:
            self._building.release()

    @property
    def built(self) -> GraphBackend | EagerBackend | None:
        """How the model runs as it stands; None while it is not built. Asking builds nothing."""
        return None if self._dropped else self._backend

    @defer_interrupts
    def build(self) -> None:
        """Build the model from its source.

        Raises
        ------
        SourceError
            When the source cannot be read; nothing is left behind.
        """
        __tracebackhide__ = True
        with self._building, without_full_collections(), libraries().phase(f"model {self.name}"):
            from tfmagic.formats.live.copy_to_graph import built_from

            # Between models that come one right after the other, nothing of the kind is freed.
            memory_policy().trim(_LEFT_OVER_BYTES, unless_within_s=_AT_ONCE_S)
            before_bytes = rss_bytes()
            try:
                with building(self._arriving_graph):
                    built = interruptible(partial(built_from, self.source, self.name, self.options))
            except Exception as error:
                self._failure = first_line(error)
                raise
            began_with = self.began_with
            try:
                self._check_it_is_a_graph(built.backend)
                default_among(self.name, built.backend.signatures, self.options.signature)
                self._settle_in(built.backend)
                # In a worker: a big file is long in one native call, and an initialiser can be stuck in one.
                workers().call(built.backend.open)
                if self.source.is_written_anew and self.began_with is None:
                    began_with = workers().call(partial(checksums, built.backend.values()))
            except BaseException:
                built.backend.close()
                raise
            self._failure = None
            # What reading took and has freed is no part of the model, nor is what was free before.
            grew_bytes = rss_bytes() - before_bytes
            if grew_bytes > _LEFT_OVER_BYTES and memory_policy().trim(_LEFT_OVER_BYTES):
                grew_bytes = rss_bytes() - before_bytes
            # Smaller only for what others gave back meanwhile, which hides what the model took.
            self.grew_bytes = grew_bytes if grew_bytes >= 0 else None
            self.notes = (*built.notes, *missing_device(self.options.device))
            self._backend, self.began_with = built.backend, began_with
            if self._dropped:
                self._backend = None
                built.backend.close()
                raise self._gone()

    def _check_it_is_a_graph(self, backend: GraphBackend | EagerBackend) -> None:
        """Refuse what only a graph can have."""
        asked = "--executor" if self.options.executor is not None else "--compile" if self.options.compile else None
        if asked is not None and backend.graph is None:
            msg = f"{self.name} is a live object, which runs as it is: {asked} is for a --copy of it"
            raise SourceError(msg)

    def _arriving_graph(self, graph: Any) -> AbstractContextManager[None]:
        """Return the context in which a graph that is just being built takes its memory."""
        del graph
        return nullcontext()

    def _note_source(self) -> None:
        """Note what the source is that is about to be read; what builds on this knows."""

    def _settle_in(self, backend: GraphBackend | EagerBackend) -> None:
        """Do what there is to do before a mode takes its memory; what builds on this knows."""

    def is_outdated(self) -> bool:
        """Return whether it is a copy of a live object that has changed since its values were taken."""
        taken = None if self._backend is None else self._backend.taken
        if taken is None:
            return False
        try:
            return workers().call(taken.has_changed)
        except Exception:  # noqa: BLE001 - of the person's own object: what cannot be read is looked at when it is built
            return True

    @defer_interrupts
    def sync(self) -> int:
        """Take the present weights of the live object of which this model is a copy.

        Where the object has other settings, layers or variables than it had, its graph
        is made again, without what was added in the room since.

        Returns
        -------
        int
            How many variables there are.

        Raises
        ------
        ModelStateError
            When the model is no copy.
        """
        with self.command_lock.hold():
            return interruptible(self._sync)

    def _sync(self) -> int:
        count = self._synced()
        self.note_safe()
        return count

    def note_safe(self) -> None:
        """Note that what it has learnt is somewhere else too, as it is now."""
        backend = self.backend_now()
        self.safe_with = workers().call(partial(checksums, backend.learnt())) if backend.may_have_learnt else None
        self.came_unsaved = False

    def _synced(self) -> int:
        backend = self.backend_now()
        present, taken = backend.present, backend.taken
        if backend.anew is not None and (present is None or taken is None or taken.needs_a_new_graph()):
            # First: what changes meanwhile is to count as changed.
            fingerprint = self.source.fingerprint()
            made = backend.anew()
            try:
                self._settle_in(made)
                made.open()
            except BaseException:
                made.close()
                raise
            self._backend, self.fingerprint = made, fingerprint
            backend.close()
            return int(made.weights().variables)
        if present is None:
            shares = "shares its weights with the object" if self.mode == "eager" else f"is a {self.source.kind}"
            msg = f"{self.name} is no copy of a live object, it {shares}: sync is for models added with --copy"
            raise ModelStateError(msg)
        values = list(present())
        backend.assign(values)
        return len(values)

    @defer_interrupts
    def stop(self, *, now: bool = False) -> StopRecord:
        """Wait until the model does nothing any more: an interrupted run, or what another thread runs.

        Parameters
        ----------
        now
            Cancel it: the variables are read as they stand (a half-finished step may
            show), the native session is closed and opened again, and they are put
            back. Where they cannot be read within two seconds, they are those of the
            source again. A live object's calls end at their next operation.

        Returns
        -------
        StopRecord
            What came of it.

        Raises
        ------
        ModelStateError
            When the model was dropped.
        """
        __tracebackhide__ = True
        if self._dropped:
            raise self._gone()
        backend = self._backend
        if backend is None:
            return {"name": self.name, "mode": self.mode, "outcome": "idle", "waited_s": 0.0, "variables": 0}
        return stopped(self.name, backend, self._cells_of_others, now=now)

    def end_cells(self) -> None:
        """Have the cells of other commands that run in the room end: its next run is refused, and its Python stops."""
        tell(self.name, self._cells_of_others())

    def _cells_of_others(self) -> list[Errand]:
        mine = errand()
        return [cell for cell in list(self._cells) if mine is None or cell.root is not mine.root]

    @defer_interrupts
    def release(self, *, renewed: bool = False) -> None:
        """Refuse calls from now on, let running ones end, and free everything.

        A run that was interrupted, or goes on for more than five seconds, is
        cancelled.

        Parameters
        ----------
        renewed
            Whether another model has taken its name.
        """
        self._dropped, self._renewed = True, renewed
        backend, self._backend = self._backend, None
        # Each is done, whatever another raises and also when the person would not wait: nobody could
        # reach the model any more.
        with ExitStack() as stack:
            if backend is not None:
                stack.callback(backend.close)
                ended = partial(wait_until, lambda: backend.stopping or not backend.running, _DRAIN_S)
                stack.callback(interruptible, ended)
            stack.callback(self.source.release)

    def _gone(self) -> ModelStateError:
        if self._renewed:
            msg = f"model {self.name!r} was dropped when its name was added anew: run it again (models.{self.name})"
            return ModelStateError(msg)
        return ModelStateError(f"model {self.name!r} was dropped: add it again to run it")
