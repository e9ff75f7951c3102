"""``park`` and ``wake``: a model that takes no tensor memory for a while, and keeps its name."""

from __future__ import annotations

import time
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.concurrency.cancel_scope import errand
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.workers import workers
from tfmagic.core.events import events
from tfmagic.core.paths import stamps_in
from tfmagic.errors import ModelStateError, ParkError, SourceError
from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.backends.xla import Compiled
from tfmagic.formats.common.source import FileSource
from tfmagic.model.memory.holders import held_in_notebook
from tfmagic.model.memory.object_state import put_back, state_of
from tfmagic.model.memory.tenant import Tenancy
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.state.kept_state import OnDisk
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.spill_directory import park_directory
from tfmagic.runtime.state.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.concurrency.command_lock import CommandLock
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.common.source import Source

# So much of constants stays with a graph that is parked, as it does with one that is thawed.
_CONSTANTS_BYTES = 4_000_000
_BEGINS_ANEW = ("Queue", "Stack", "Barrier", "Iterator", "Reader")


class ParkRecord(TypedDict):
    """What came of parking a model.

    Attributes
    ----------
    outcome
        ``parked``, or ``already``.
    freed_bytes
        The size of the variables that take no memory now; None where it is not known.
    written_bytes
        The size of the file that they went into; 0 where the source gives them again.
    notes
        What there is to say of what does not come back as it was.
    """

    name: str
    outcome: str
    freed_bytes: int | None
    written_bytes: int
    notes: list[str]


class WakeRecord(TypedDict):
    """What came of waking a model.

    Attributes
    ----------
    outcome
        ``woken``, or ``already``.
    took_s
        How long it took until it could be run, warming not included.
    warmed
        Whether it was warmed again, as it had been before it was parked.
    """

    name: str
    outcome: str
    weights_bytes: int | None
    took_s: float
    warmed: bool


class Parking(Tenancy):
    """A model that can be parked."""

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock | None = None) -> None:
        super().__init__(name, source, options, command_lock)
        self._spill: Spill | None = None
        self._made_names: frozenset[str] = frozenset()
        self._made_optimizer: weakref.ref[Any] | None = None

    # -- whether it can be ---------------------------------------------------------

    def _stays_because(self) -> str | None:
        backend = self._backend
        if not isinstance(backend, EagerBackend):
            return None
        if not self._is_held_here_alone(backend):
            return "a live object of the notebook"
        if self._was_compiled_elsewhere(backend):
            return "compiled outside its cell"
        return None

    def _was_compiled_elsewhere(self, backend: EagerBackend) -> bool:
        """Return whether the object has an optimizer that its cell would not make again, with what that has learnt."""
        optimizer = getattr(backend.live, "optimizer", None)
        made = None if self._made_optimizer is None else self._made_optimizer()
        return optimizer is not None and optimizer is not made

    def _is_held_here_alone(self, backend: EagerBackend) -> bool:
        """Return whether the object was made by the model's own cell, and nothing in the notebook leads to it."""
        return self.source.is_written_anew and not held_in_notebook([backend.live])

    # -- going -----------------------------------------------------------------------

    @defer_interrupts
    def park(self) -> ParkRecord:
        """Have the model take no tensor memory until it is next run; its name and signatures stay.

        Where its source gives the same weights again nothing is written; else they go
        into a file of the park directory, with everything that training needs.

        Raises
        ------
        ModelStateError
            For a live object, which is the notebook's, and while the model runs.
        ParkError
            When the file cannot be written; the model is as it was.
        """
        __tracebackhide__ = True
        with self.command_lock.hold():
            record = interruptible(self._park)
        if record["outcome"] != "already":
            memory_policy().give_back()
        return record

    @defer_interrupts
    def park_if_idle(self) -> bool:
        """Park it if nothing is done with it at this moment; return whether it is parked now."""
        try:
            with self.command_lock.hold(patience=0.0) as came:
                if not came or not self.can_be_parked:
                    return False
                interruptible(self._park)
        except ModelStateError:
            return False
        memory_policy().give_back()
        return True

    def _park(self) -> ParkRecord:
        if self._dropped:
            raise self._gone()
        backend, state = self._backend, self.state
        record: ParkRecord = {
            "name": self.name,
            "outcome": "already",
            "freed_bytes": 0,
            "written_bytes": 0,
            "notes": [],
        }
        if backend is None or backend.parked:
            return record
        if state != "ready":
            msg = (
                f"{self.name} is {state}, and only an idle model can be parked: %tf_model stop {self.name} waits for it"
            )
            raise ModelStateError(msg)
        weights = backend.weights()
        record["outcome"], record["freed_bytes"] = "parked", weights.variables_bytes
        park_directory().remove_on_sigterm()
        # In a worker: a large file takes its time, and Ctrl-C shall come back.
        if isinstance(backend, EagerBackend):
            record["notes"] = self._names_lost(backend)
            record["written_bytes"] = workers().call(partial(self._park_object, backend))
        elif self._comes_whole_from_its_source(backend, weights):
            record["notes"] = self._names_lost(backend)
            self._let_go(backend, weights)
        else:
            written = workers().call(partial(backend.park, park_directory().place, again=self._gives_the_same()))
            if written is None:
                raise self._runs()
            record["written_bytes"] = written
            record["notes"] = _what_stays(backend, weights)
        if self.is_warmed:
            record["notes"].append(f"it was warmed: %tf_model wake {self.name} warms it again, a run alone does not")
        events().note("parked", self.name)
        return record

    def _runs(self) -> ModelStateError:
        return ModelStateError(f"{self.name} is running, and only an idle model can be parked")

    def _gives_the_same(self) -> bool:
        """Return whether the source gives the values that the model began with."""
        return self._changed() is None and isinstance(self.source, FileSource)

    def _changed(self) -> str | None:
        """Return what has become of the source's file since it was read; None where it is as it was."""
        if not isinstance(self.source, FileSource):
            return None
        try:
            return None if self.source.fingerprint() == self.fingerprint else "changed"
        except SourceError:
            return "gone"

    def _comes_whole_from_its_source(self, backend: GraphBackend, weights: Weights) -> bool:
        """Return whether it is a graph of constants, which only goes when the graph itself goes."""
        if weights.variables or weights.constants_bytes <= _CONSTANTS_BYTES or tables_of(backend.graph):
            return False
        return self._gives_the_same()

    def _names_lost(self, backend: GraphBackend | EagerBackend) -> list[str]:
        names = [name for name in backend.room.names if name not in self._made_names]
        return [f"names of its room that are gone when it wakes: {', '.join(names)}"] if names else []

    def _let_go(self, backend: GraphBackend, weights: Weights) -> None:
        """Let go of the graph itself; it is read again when the model wakes."""
        if not hosted(backend.graph).park(lambda _: OnDisk(None)):
            raise self._runs()
        self._remembered = weights, dict(backend.signatures)
        self._backend = None
        backend.close()

    def _park_object(self, backend: EagerBackend) -> int:
        """Write an object's state, and let go of the object; its cell makes it again when the model wakes."""
        if not self._is_held_here_alone(backend):
            msg = (
                f"{self.name} is yours, a live object, and is not emptied behind your back: "
                f"%tf_model drop {self.name}, or add it with --copy, which can be parked"
            )
            raise ModelStateError(msg)
        if self._was_compiled_elsewhere(backend):
            msg = (
                f"{self.name} was compiled outside its cell, which would not make its optimizer again: "
                "compile it in the %%tf_model cell, or save it and drop it"
            )
            raise ModelStateError(msg)
        spill = Spill(park_directory().place())
        try:
            written = spill.write(state_of(backend))
            here = errand()
            if here is not None:
                # Nobody waits for this any more, and the object may be in use again.
                here.require()
            self._exchange(backend, spill, backend.weights())
        except BaseException:
            # Unless it is all that there is by now.
            if self._spill is not spill:
                spill.remove()
            raise
        return written

    @defer_interrupts
    def _exchange(self, backend: EagerBackend, spill: Spill, weights: Weights) -> None:
        """Have the file in the place of the object, and let go of that."""
        self._remembered = weights, dict(backend.signatures)
        self._spill, self._backend = spill, None
        backend.close()
        self.source.release()

    @property
    def object_spill(self) -> Spill | None:
        """The file in which the state of its object is, while the object is let go of."""
        return self._spill

    # -- coming back -------------------------------------------------------------------

    @defer_interrupts
    def wake(self) -> WakeRecord:
        """Give the model its memory back, so that the next run need not.

        Raises
        ------
        ParkError
            When what was parked is not what was written.
        SourceError
            When the source has changed since.
        MemoryBudgetError
            When it does not fit into the budget.
        """
        __tracebackhide__ = True
        with self.command_lock.hold():
            was = self.state
            began = time.perf_counter()
            backend = self.backend_now()
            if isinstance(backend, GraphBackend):
                workers().call(backend.wake)
            return {
                "name": self.name,
                "outcome": "woken" if was == "parked" else "already",
                "weights_bytes": backend.weights().variables_bytes,
                "took_s": time.perf_counter() - began,
                "warmed": False,
            }

    @defer_interrupts
    def release(self, *, renewed: bool = False) -> None:
        """Free everything as `Life.release` does, and what was parked with it."""
        spill, self._spill, self._remembered = self._spill, None, None
        if spill is not None:
            spill.remove()
        super().release(renewed=renewed)

    @defer_interrupts
    def build(self) -> None:
        """Build the model as `Life.build` does; one that was let go of, only from what it was.

        Raises
        ------
        ParkError
            When its source has changed, or is gone, since it was parked.
        """
        __tracebackhide__ = True
        was_parked = self._remembered is not None
        if was_parked and self._spill is None:
            changed = self._changed()
            if changed is not None:
                raise self._cannot_wake(changed)
        super().build()
        if was_parked:
            events().note("woken", self.name)
        # Now, and not when it was read: until here building could fail, or be interrupted.
        spill, self._spill = self._spill, None
        if spill is not None:
            spill.remove()

    def _settle_in(self, backend: GraphBackend | EagerBackend) -> None:
        """See to it that there is room for what was built, now and whenever its memory is taken anew."""
        self._made_names = frozenset(backend.room.names)
        if isinstance(backend, GraphBackend):
            backend.executor = self.options.executor
            backend.compiled = Compiled(backend) if self.options.compile else None
            record = hosted(backend.graph)
            record.arriving = partial(self._arriving, backend)
            if record.opened is not None:
                # By its cell; it may have grown since.
                with self._arriving(backend):
                    pass
        else:
            with self._arriving(backend):
                pass
            optimizer = getattr(backend.live, "optimizer", None)
            self._made_optimizer = None if optimizer is None else weakref.ref(optimizer)
            if self._spill is not None:
                put_back(backend, self._spill)
                # Keras may have numbered its layers on.
                self.began_with = _renamed(self.began_with, backend)
                self.safe_with = _renamed(self.safe_with, backend)

    @contextmanager
    def _arriving(self, backend: GraphBackend | EagerBackend) -> Iterator[None]:
        """Make room for what takes its memory in the block, and keep it free meanwhile."""
        was_parked = backend.parked
        with self._room_for(backend.weights()):
            if isinstance(backend, GraphBackend):
                self._look_at_source(backend)
            yield
        if was_parked:
            events().note("woken", self.name)

    def _look_at_source(self, backend: GraphBackend) -> None:
        """See to it that a graph that is opened again does not get other weights than it had."""
        if not backend.parked:
            is_read_again = backend is self._backend and not (backend.is_kept or backend.needs_no_file)
            if is_read_again and any(file.has_other_content() for file in stamps_in(self.fingerprint)):
                msg = f"{self.name}: {self.source.where} has changed since it was loaded: add it again"
                raise SourceError(msg)
            return
        changed = self._changed()
        if changed is None:
            return
        if backend.is_parked_whole:
            note = (
                f"{self.name}: its source is {changed} since it was parked; it wakes with the weights that were parked"
            )
            if note not in self.notes:
                self.notes = (*self.notes, note)
            return
        raise self._cannot_wake(changed)

    def _note_source(self) -> None:
        """Note what the source of a model is that was added lazily, and is read only now."""
        if self._remembered is None and isinstance(self.source, FileSource):
            with suppress(SourceError):
                self.fingerprint = interruptible(self.source.fingerprint)

    def _cannot_wake(self, changed: str) -> ParkError:
        return ParkError(
            f"{self.name} cannot wake: its source is {changed} since it was parked ({self.source.text}); "
            "put it back, or add the model again"
        )


def _renamed(numbers: dict[str, int] | None, backend: EagerBackend) -> dict[str, int] | None:
    return None if numbers is None else dict(zip(backend.named_variables(), numbers.values(), strict=False))


def _what_stays(backend: GraphBackend, weights: Weights) -> list[str]:
    notes = []
    if weights.constants_bytes > _CONSTANTS_BYTES:
        notes.append("the constants stay in memory: they are part of its graph")
    kinds: dict[str, Any] = {}
    for op in backend.graph.get_operations():
        for kind in _BEGINS_ANEW:
            if kind in op.type and not op.inputs:
                kinds[kind.lower()] = op
    if kinds:
        notes.append(f"begins empty when it wakes: its {' and '.join(sorted(kinds))}")
    return notes
