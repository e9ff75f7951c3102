"""A registered model: its name, its source, how to call it, what it is doing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.errors import InputError, ModelStateError, UnknownNameError, did_you_mean
from tfmagic.model.calls import Calls, first_line
from tfmagic.model.fetches import outputs_given, require
from tfmagic.model.inputs import MISSING, bind
from tfmagic.model.limits import whole_number
from tfmagic.model.options import missing_device
from tfmagic.model.request import Request
from tfmagic.model.result import Result
from tfmagic.model.signature import default_among
from tfmagic.model.stopping import stopped, tell
from tfmagic.model.timing import timed
from tfmagic.model.trace import traced
from tfmagic.model.turn import Turn
from tfmagic.model.waiting import in_batches, patience_of, waited_for
from tfmagic.runtime.errand import Errand, errand
from tfmagic.runtime.interrupts import held_back, let_in
from tfmagic.runtime.patience import Patience
from tfmagic.runtime.runs import wait_until
from tfmagic.runtime.worker import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tfmagic.model.cell import Cell
    from tfmagic.model.eager_mode import EagerMode
    from tfmagic.model.graph_mode import GraphMode
    from tfmagic.model.namespace import Names
    from tfmagic.model.options import Options
    from tfmagic.model.record import ModelRecord, StopRecord
    from tfmagic.model.saving.save import Saved
    from tfmagic.model.signature import Signature, TensorSpec
    from tfmagic.model.sources.source import Source
    from tfmagic.model.timing import Timing
    from tfmagic.model.trace import Trace

T = TypeVar("T")

_POLL_S = 0.005
# Long for a run, short for a person: a queue runner would never end by itself.
_DRAIN_S = 5.0


class Model:
    """A model of the registry. Made by ``models.add``, not by hand.

    Attributes
    ----------
    name : str
        Its name.
    source : Source
        Where it came from, and so how to get it again.
    notes : tuple of str
        What there was to say when it was added, such as the version chosen.
    saved : Saved or None
        Where it was last saved, and what was written.
    began_with : dict or None
        For the model of a cell, a number for each variable's first value, which
        tells whether it was trained since.
    """

    def __init__(self, name: str, source: Source, options: Options, turn: Turn | None = None) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.fingerprint: object = None
        self.notes: tuple[str, ...] = ()
        self.saved: Saved | None = None
        self.began_with: dict[str, int] | None = None
        self._mode: GraphMode | EagerMode | None = None
        self._building = threading.RLock()
        self.turn = turn or Turn(name)
        self._cells: dict[Errand, None] = {}
        self._dropped = self._renewed = False
        self._failure: str | None = None
        self._calls = Calls()
        self._trace: Trace | None = None

    # -- calling -------------------------------------------------------------

    def __call__(self, value: Any = MISSING, /, *, signature: str | None = None, **inputs: Any) -> Any:
        """Run the model: the array where there is one output, else all by name.

        The parameters and errors are those of `run`.
        """
        __tracebackhide__ = True
        result = self.run(value, signature=signature, **inputs)
        return next(iter(result.values())) if len(result) == 1 else result

    def run(
        self,
        value: Any = MISSING,
        /,
        *,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
        batch_size: int | None = None,
        timeout: float | None = None,
        trace: bool = False,
        **inputs: Any,
    ) -> Result:
        """Run the model, and return its outputs by name.

        Parameters
        ----------
        value
            The one input, or a mapping of inputs by name; also a pandas
            ``DataFrame`` or a ``tf.data.Dataset``.
        fetch
            Only these outputs; in a graph, any tensor by name.
        signature
            Another than the default one.
        batch_size
            Run so many rows of the inputs at a time, with a progress bar, and join
            the outputs on the first axis.
        timeout
            Seconds after which to give up.
        trace
            Whether to keep in `trace` where the time of this run went.
        **inputs
            Inputs by name.

        Raises
        ------
        InputError
            For an input that is missing, unknown, or does not fit.
        RunTimeoutError
            At the deadline; the model is ``stopping`` while its present operation
            goes on.
        UnknownNameError
            For a signature that is not there.
        SourceError
            For a fetch that is not there.
        ModelStateError
            When the model was dropped, or is still stopping.
        """
        __tracebackhide__ = True
        if batch_size is None and timeout is None and not trace:
            return self.answer(self.asked(value, inputs, fetch=fetch, signature=signature))
        return self.run_stoppable(
            value, inputs, fetch=fetch, signature=signature, batch_size=batch_size, timeout=timeout, trace=trace
        )

    def timed(
        self,
        value: Any = MISSING,
        /,
        *,
        repeat: int = 7,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
        timeout: float | None = None,
        **inputs: Any,
    ) -> Timing:
        """Time a call of the model as ``%timeit`` would, and return the figures.

        Parameters
        ----------
        repeat
            How many runs to make, each of as many calls as take a fifth of a second.
        value, fetch, signature, timeout, **inputs
            As for `run`.
        """
        __tracebackhide__ = True
        return timed(self, value, inputs, repeat=repeat, fetch=fetch, signature=signature, timeout=timeout)

    def run_stoppable(
        self,
        value: Any = MISSING,
        inputs: Mapping[str, Any] | None = None,
        *,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
        batch_size: int | None = None,
        timeout: float | None = None,
        trace: bool = False,
    ) -> Result:
        """Run as `run` does, in a thread that Ctrl-C in a notebook need not wait for.

        The parameters are those of `run`, with the named inputs as a mapping.

        Raises
        ------
        KeyboardInterrupt
            At once; the model is ``stopping`` until its native run has ended. Of a
            run in batches an `InterruptedRun`, which has the outputs so far.
        """
        __tracebackhide__ = True
        size = None if batch_size is None else whole_number("batch_size", batch_size)
        if size is not None and trace:
            msg = f"{self.name}: a trace is of one run, and batch_size makes several: give one of the two"
            raise InputError(msg)
        patience = patience_of(timeout)
        request = waited_for(self, lambda: self.asked(value, inputs or {}, fetch=fetch, signature=signature), patience)
        if size is not None:
            return in_batches(self, request, size, patience)
        return waited_for(self, lambda: self.answer(request, patience=patience, trace=trace), patience)

    @held_back
    def execute(self, cell: Cell, notebook: Mapping[str, Any]) -> Any:
        """Run a cell in the model's room, and return the value of its last expression.

        Parameters
        ----------
        cell
            The code.
        notebook
            The names that the cell sees behind the room's own.
        """
        __tracebackhide__ = True
        with self.turn.taken():
            room = self.mode_now().room
            here = Errand()
            self._cells[here] = None
            try:
                with here.run():
                    return room.run(cell, notebook, {"this": self})
            except BaseException as error:
                if here.given_up_at is not None:
                    raise here.ending() from error
                raise
            finally:
                self._cells.pop(here)

    def asked(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        *,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
    ) -> Request:
        """Return what a call asks, its names understood and its inputs' values not yet looked at.

        The parameters are those of `run`, with the named inputs as a mapping.
        """
        __tracebackhide__ = True
        mode = self.mode_now()
        given = [*inputs, *(value if isinstance(value, Mapping) else ())]
        chosen = mode.extended(self.signature(signature), given)
        bound = bind(self.name, chosen, value, inputs)
        if fetch is None:
            fetches = outputs_given(self.name, chosen, bound.keys())
        else:
            names = [fetch] if isinstance(fetch, str) else list(fetch)
            fetches = [(name, mode.fetch(chosen, name)) for name in names]
            require(self.name, chosen, mode.needs(chosen, [own for _, own in fetches]), bound.keys())
        return Request(self.name, mode, chosen, bound, fetches)

    def answer(
        self,
        request: Request,
        feeds: Sequence[tuple[TensorSpec, Any]] | None = None,
        *,
        patience: Patience | None = None,
        trace: bool = False,
    ) -> Result:
        """Make a call, and return its outputs by name.

        Parameters
        ----------
        request
            What `asked` has returned.
        feeds
            The inputs' checked arrays, where they are not all that the request has.
        patience
            The caller's, where it may go before the call has ended.
        trace
            Whether to keep in `trace` where the time went.
        """
        __tracebackhide__ = True
        mode = request.mode
        arrays = request.feeds() if feeds is None else feeds

        def call() -> dict[str, Any]:
            __tracebackhide__ = True
            if trace:
                outputs, self._trace = traced(request, arrays, patience or Patience())
                return outputs
            return mode.call(request.signature, arrays, request.fetches, patience=patience)

        try:
            with self._calls.timed():
                # Native sessions can be run by several threads at once; of an object nobody knows.
                return Result(call() if mode.mode == "graph" else self._alone(call))
        except Exception as error:
            if self._dropped:
                # Cancelled by drop: the session says only that it was closed.
                raise self._gone() from error
            raise

    @held_back
    def _alone(self, call: Callable[[], T]) -> T:
        __tracebackhide__ = True
        with self.turn.taken(call=True):
            return call()

    # -- what it is ------------------------------------------------------------

    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given.

        Raises
        ------
        UnknownNameError
            When there is none of that name; the nearest is offered.
        """
        signatures = self.mode_now().signatures
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
        return dict(self.mode_now().signatures)

    @property
    def default_signature(self) -> str:
        """The name of the signature that a call uses."""
        return default_among(self.name, self.mode_now().signatures, self.options.signature)

    @property
    def trace(self) -> Trace | None:
        """Where the time of the last traced run went; None before the first."""
        return self._trace

    @property
    def calls(self) -> int:
        """How many calls came to a result."""
        return self._calls.count

    @property
    def names(self) -> Names:
        """The Python names of the model's room."""
        return self.mode_now().room.names

    @property
    def graph(self) -> Any:
        """The model's graph; None in eager mode."""
        return self.mode_now().graph

    @property
    def live(self) -> Any:
        """The live object of an eager model; None in graph mode."""
        return self.mode_now().live

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
        if self._mode is None:
            return "parked"
        cells = list(self._cells)
        if self._mode.stopping or any(cell.given_up_at is not None for cell in cells):
            return "stopping"
        return "running" if cells or self._mode.running else "ready"

    def record(self) -> ModelRecord:
        """Return what a view shows of this model, as plain data."""
        weights = None if self._mode is None else self._mode.weights()
        signatures = {} if self._mode is None else self._mode.signatures
        return {
            "name": self.name,
            "kind": self.source.kind,
            "copied": self.options.copy,
            "mode": self.mode,
            "state": self.state,
            "source": self.source.text,
            "path": self.source.where,
            "device": self.options.device,
            "default_signature": self.default_signature if self._mode is not None else None,
            "signatures": [signature.record() for signature in signatures.values()],
            "variables": None if weights is None else weights.variables,
            "weights_bytes": None if weights is None else weights.variables_bytes,
            "constants_bytes": None if weights is None else weights.constants_bytes,
            "names": [] if self._mode is None else list(self._mode.room.names),
            "calls": self._calls.count,
            "last_latency_s": self._calls.last_latency_s,
            "median_latency_s": self._calls.median_latency_s,
            "last_error": self._failure or self._calls.last_error,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<model {self.name}: {self.source.kind}, {self.mode} mode, {self.state}>"

    # -- what stays of it ----------------------------------------------------------

    @held_back
    def save(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the model to disk, with its weights as they now are.

        Parameters
        ----------
        path
            The suffix says the format: none is a SavedModel folder, ``.keras`` a
            Keras file, ``.pb`` a frozen graph.
        replace
            Whether what is there may go.

        Returns
        -------
        Path
            Where it was written. What it holds is in `saved`.

        Raises
        ------
        SaveError
            When the format cannot hold the model.
        PathTakenError
            When something is there already.
        DestinationError
            When the path cannot be written to; what was there is as it was.
        ModelStateError
            When the model was dropped, or is still stopping.
        """
        __tracebackhide__ = True
        from tfmagic.model.saving.save import save

        with self.turn.taken():
            self.saved = let_in(partial(save, self, path, replace=replace))
        return self.saved.path

    @held_back
    def python(self) -> str:
        """Return plain TensorFlow code that does without tfmagic and gives the same answers.

        Returns
        -------
        str
            A module with a function of the model's name, which takes the inputs and
            returns the outputs by name, as arrays.

        Raises
        ------
        SaveError
            When the model's present weights are in no file: save it first.
        """
        __tracebackhide__ = True
        from tfmagic.model.plain.python_of import python_of

        with self.turn.taken():
            return let_in(partial(python_of, self))

    # -- its life ----------------------------------------------------------------

    def mode_now(self) -> GraphMode | EagerMode:
        """Return how the model runs, built now if it was added lazily.

        Raises
        ------
        ModelStateError
            When the model was dropped.
        """
        mode = self._mode
        if mode is not None and not self._dropped:
            return mode
        return self._built_once()

    @held_back
    def _built_once(self) -> GraphMode | EagerMode:
        __tracebackhide__ = True
        while not self._building.acquire(blocking=False):
            # Another thread builds it.
            let_in(partial(time.sleep, _POLL_S))
        try:
            if self._dropped:
                raise self._gone()
            if self._mode is None:
                self.build()
            return self._mode  # type: ignore[return-value]  # build() leaves one or raises
        finally:
            self._building.release()

    @property
    def built(self) -> GraphMode | EagerMode | None:
        """How the model runs as it stands; None while it is not built. Asking builds nothing."""
        return None if self._dropped else self._mode

    @held_back
    def build(self) -> None:
        """Build the model from its source.

        Raises
        ------
        SourceError
            When the source cannot be read; nothing is left behind.
        """
        __tracebackhide__ = True
        with self._building:
            from tfmagic.model.sources.copying import built_from

            try:
                built = let_in(partial(built_from, self.source, self.name, self.options))
            except Exception as error:
                self._failure = first_line(error)
                raise
            began_with: dict[str, int] | None = None
            try:
                default_among(self.name, built.mode.signatures, self.options.signature)
                # In a worker: a big file is long in one native call, and an initialiser can be stuck in one.
                workers().call(built.mode.open)
                if self.source.is_written_anew:
                    from tfmagic.model.former import checksums

                    began_with = workers().call(partial(checksums, built.mode))
            except BaseException:
                built.mode.close()
                raise
            self._failure = None
            self.notes = (*built.notes, *missing_device(self.options.device))
            self._mode, self.began_with = built.mode, began_with
            if self._dropped:
                self._mode = None
                built.mode.close()
                raise self._gone()

    @held_back
    def sync(self) -> int:
        """Take the present weights of the live object of which this model is a copy.

        Returns
        -------
        int
            How many variables there are.

        Raises
        ------
        ModelStateError
            When the model is no copy.
        """
        with self.turn.taken():
            return let_in(self._sync)

    def _sync(self) -> int:
        mode = self.mode_now()
        present = mode.present
        if mode.anew is not None:
            made = mode.anew()
            made.open()
            self._mode = made
            mode.close()
            return made.weights().variables
        if present is None:
            shares = "shares its weights with the object" if self.mode == "eager" else f"is a {self.source.kind}"
            msg = f"{self.name} is no copy of a live object, it {shares}: sync is for models added with --copy"
            raise ModelStateError(msg)
        values = list(present())
        mode.assign(values)
        return len(values)

    @held_back
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
        mode = self._mode
        if mode is None:
            return {"name": self.name, "mode": self.mode, "outcome": "idle", "waited_s": 0.0, "variables": 0}
        return stopped(self.name, mode, self._cells_of_others, now=now)

    def end_cells(self) -> None:
        """Have the cells of other commands that run in the room end: its next run is refused, and its Python stops."""
        tell(self.name, self._cells_of_others())

    def _cells_of_others(self) -> list[Errand]:
        mine = errand()
        return [cell for cell in list(self._cells) if mine is None or cell.root is not mine.root]

    @held_back
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
        mode, self._mode = self._mode, None
        self.source.release()
        if mode is None:
            return
        try:
            let_in(partial(wait_until, lambda: mode.stopping or not mode.running, _DRAIN_S))
        finally:
            # Also when the person would not wait: nobody could reach the model any more.
            mode.close()

    def _gone(self) -> ModelStateError:
        if self._renewed:
            msg = f"model {self.name!r} was dropped when its name was added anew: run it again (models.{self.name})"
            return ModelStateError(msg)
        return ModelStateError(f"model {self.name!r} was dropped: add it again to run it")
