"""A registered model: the facade over its lifecycle, its calls and its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.concurrency.entry_point import entry_point, hide_own_frames, trim_traceback
from tfmagic.core.arguments import whole_number
from tfmagic.errors import InputError, NoCopyError, UnknownNameError
from tfmagic.execution.signature.feeds import MISSING, positional_inputs_error
from tfmagic.execution.signature.result import Result
from tfmagic.model.advice import advice_for
from tfmagic.model.lifecycle.lifecycle import Lifecycle
from tfmagic.model.memory.parking import Parking
from tfmagic.model.record import Records
from tfmagic.model.running.batch_loop import run_in_batches
from tfmagic.model.running.caller import Caller
from tfmagic.model.running.deadline import call_scope, wait_for_call
from tfmagic.model.running.stop import stop
from tfmagic.model.running.timing import timed
from tfmagic.model.sync import sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.room.namespace import Names
    from tfmagic.execution.room.variables import VariableRecord
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import Source
    from tfmagic.formats.common.written import LastSave
    from tfmagic.model.memory.parking import ParkRecord, WakeRecord
    from tfmagic.model.record import ModelRecord
    from tfmagic.model.running.stop import StopRecord
    from tfmagic.model.running.timing import Timing
    from tfmagic.model.tracing.trace import Trace


class Model:
    """A model of the registry, made by ``models.add``.

    It holds its parts: `lifecycle` (source, build, state, release), `caller` (calls and
    their figures), `parking` (memory) and `records` (plain data for views).

    Attributes
    ----------
    name : str
        Its name.
    source : Source
        Where it came from.
    options : Options
        How it was added.
    """

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock | None = None) -> None:
        self.name = name
        self.source = source
        self.options = options
        self.lifecycle = Lifecycle(name, source, options, command_lock or CommandLock(name))
        self.caller = Caller(self.lifecycle)
        self.parking = Parking(self.lifecycle)
        self.lifecycle.hooks = self.parking
        self.records = Records(self.lifecycle, self.caller, self.parking)

    @property
    def mode(self) -> str:
        """``graph`` or ``eager``."""
        return self.lifecycle.mode

    @property
    def state(self) -> str:
        """``ready``, ``running``, ``stopping``, ``parked``, ``failed`` or ``dropped``."""
        return self.lifecycle.state

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes from adding the model, such as the chosen version."""
        return self.lifecycle.notes

    @hide_own_frames
    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given; an unknown name raises UnknownNameError."""
        return self.lifecycle.signature(name)

    @property
    @hide_own_frames
    def signatures(self) -> Mapping[str, Signature]:
        """All signatures by name."""
        return dict(self.lifecycle.built_backend().signatures)

    @property
    @hide_own_frames
    def default_signature(self) -> str:
        """The name of the signature that calls use by default."""
        return self.lifecycle.default_signature

    @property
    @hide_own_frames
    def names(self) -> Names:
        """The Python names that the model's cells have defined."""
        return self.lifecycle.built_backend().room.names

    @property
    @hide_own_frames
    def graph(self) -> Any:
        """The model's graph; None in eager mode."""
        return self.lifecycle.built_backend().graph

    @property
    @hide_own_frames
    def live(self) -> Any:
        """The live object of an eager model; None in graph mode."""
        return self.lifecycle.built_backend().live

    @property
    def variables(self) -> tuple[VariableRecord, ...]:
        """The variables, the largest first; of a parked model those that it has once it is loaded."""
        weights = self.parking.weights
        return () if weights is None else weights.by_variable

    @property
    def saved(self) -> LastSave | None:
        """Where the model was last saved, and what was written; None before the first time."""
        return self.lifecycle.saved

    @property
    def calls(self) -> int:
        """How many calls returned a result."""
        return self.caller.statistics.count

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self.caller.statistics.last_latency_s

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return self.caller.statistics.median_latency_s

    @property
    def last_error(self) -> str | None:
        """The first line of the error of the last failed call, or of a failed build."""
        return self.lifecycle.failure or self.caller.statistics.last_error

    @property
    def trace(self) -> Trace | None:
        """The trace of the last traced run; None before the first."""
        return self.caller.trace

    def __getattr__(self, name: str) -> Any:
        """Say what to type for an attribute that models of other libraries have."""
        if name.startswith("_"):
            raise AttributeError(name)
        own = vars(type(self)).get(name)
        if isinstance(own, property) and own.fget is not None:
            # Its error is an AttributeError too, and has brought Python here.
            return own.fget(self)
        advice = advice_for(name, self.name, dir(type(self)), live=self.mode == "eager")
        msg = f"model {self.name!r} has no {name!r}{advice}"
        error = UnknownNameError(msg)
        trim_traceback(error)
        raise error

    def __copy__(self) -> NoReturn:
        """Refuse: two objects would be one model."""
        raise self._no_copy()

    def __deepcopy__(self, memo: Any) -> NoReturn:
        """Refuse: native sessions, threads and locks have no copy."""
        raise self._no_copy()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be pickled, for the same reason."""
        raise self._no_copy()

    def _no_copy(self) -> NoCopyError:
        msg = (
            f"model {self.name!r} cannot be copied or pickled: models.add(NAME, SOURCE) makes another one, "
            f"models.{self.name}.save(PATH) writes it to disk, and any process can add what was written"
        )
        error = NoCopyError(msg)
        trim_traceback(error)
        return error

    def __call__(self, value: Any = MISSING, /, *more: Any, signature: str | None = None, **inputs: Any) -> Any:
        """Run the model, and return the array of a single output, else all outputs by name.

        The parameters and errors are those of `run`.
        """
        try:
            outputs = None if more else self.caller.fast_call(value, inputs, None, signature)
            if outputs is not None:
                if len(outputs) == 1:
                    (array,) = outputs.values()
                    return array
                return Result(outputs)
            result = self.run(value, *more, signature=signature, **inputs)
        except BaseException as error:
            # Without the decorator, which would be one more Python call.
            trim_traceback(error)
            raise
        return next(iter(result.values())) if len(result) == 1 else result

    @hide_own_frames
    def run(
        self,
        value: Any = MISSING,
        /,
        *more: Any,
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
            The name of the signature, if not the default one.
        batch_size
            Run this many rows of the inputs at a time, with a progress bar, and join
            the outputs on the first axis.
        timeout
            Give up after this many seconds.
        trace
            Trace this run, and keep the result in `trace`.
        **inputs
            Inputs by name.

        Raises
        ------
        InputError
            For an input that is missing, unknown, or does not fit.
        RunTimeoutError
            At the deadline; the model is ``stopping`` until its present operation ends.
        UnknownNameError
            For an unknown signature.
        SourceError
            For an unknown fetch.
        ModelStateError
            When the model was dropped, or is still stopping.
        """
        if more:
            raise positional_inputs_error(self.name, 1 + len(more))
        if not isinstance(trace, bool):
            msg = (
                f"{self.name}: trace is whether to trace this run, got {type(trace).__name__}; "
                "an input of that name is given in a dict, as the first value"
            )
            raise InputError(msg)
        if batch_size is None and timeout is None and not trace:
            quick = self.caller.fast_call(value, inputs, fetch, signature)
            return self._checked_call(value, inputs, fetch, signature) if quick is None else Result(quick)
        return self.run_stoppable(
            value, inputs, fetch=fetch, signature=signature, batch_size=batch_size, timeout=timeout, trace=trace
        )

    @hide_own_frames
    def timed(
        self,
        value: Any = MISSING,
        /,
        *more: Any,
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
            How many runs to time; each makes enough calls to take a fifth of a second.
        value, fetch, signature, timeout, **inputs
            As for `run`.
        """
        if more:
            raise positional_inputs_error(self.name, 1 + len(more))
        return timed(self.caller, value, inputs, repeat=repeat, fetch=fetch, signature=signature, timeout=timeout)

    @defer_interrupts
    def _checked_call(
        self, value: Any, inputs: Mapping[str, Any], fetch: Sequence[str] | str | None, signature: str | None
    ) -> Result:
        if self.lifecycle.backend is None:
            wait_for_call(self.lifecycle, self.lifecycle.built_backend)
        return self.caller.checked_call(value, inputs, fetch, signature)

    @entry_point
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
        """Run as `run` does, in a worker, so that Ctrl-C in a notebook returns at once.

        After Ctrl-C the model is ``stopping`` until its native run has ended. A run in batches
        raises an `InterruptedRun`, which has the outputs so far.
        """
        size = None if batch_size is None else whole_number("batch_size", batch_size)
        if size is not None and trace:
            msg = f"{self.name}: a trace is of one run, and batch_size makes several: give one of the two"
            raise InputError(msg)
        with call_scope(timeout):
            request = wait_for_call(
                self.lifecycle,
                lambda: self.caller.request(value, inputs or {}, fetch=fetch, signature=signature),
            )
            if size is not None:
                return interruptible(run_in_batches, self.caller, request, size)
            return wait_for_call(self.lifecycle, lambda: self.caller.run(request, trace=trace))

    @entry_point
    def execute(self, cell: Cell, notebook: Mapping[str, Any]) -> Any:
        """Run a cell in the model's room, and return the value of its last expression.

        The notebook's names are visible behind those of the room.
        """
        return self.caller.run_cell(cell, notebook, {"this": self})

    @entry_point
    def stop(self, *, now: bool = False) -> StopRecord:
        """Wait until the model is idle: an interrupted run, or runs of other threads, have ended.

        Parameters
        ----------
        now
            Cancel the runs. The variables keep their present values (a half-finished
            step may show) while the native session is closed and opened again. If they
            cannot be read within two seconds, they get the values of the source. Calls
            of a live object end at their next operation.

        Returns
        -------
        StopRecord
            The outcome, and how long it took.

        Raises
        ------
        ModelStateError
            When the model was dropped.
        """
        return stop(self.lifecycle, now=now)

    @entry_point
    def park(self) -> ParkRecord:
        """Free the model's tensor memory until the next run; its name and signatures stay.

        Weights that the source still has are not written. Others go to a file in the park
        directory, with everything that training needs.

        Raises
        ------
        ModelStateError
            For a live object, which belongs to the notebook, and while the model runs.
        ParkError
            When the file cannot be written; the model stays as it was.
        """
        return self.parking.park()

    @entry_point
    def wake(self) -> WakeRecord:
        """Load a parked model now instead of at its next run; a warmed one is warmed again.

        Raises
        ------
        ParkError
            When the parked file is damaged, or the source has changed since.
        SourceError
            When the source cannot be read.
        MemoryBudgetError
            When the model does not fit into the budget.
        """
        record = self.parking.wake()
        if record["outcome"] == "woken" and self.lifecycle.is_warm:
            from tfmagic.model.running.warm_up import choose_executors

            choose_executors(self.caller)
            record["warmed"] = self.lifecycle.is_warm
        return record

    @entry_point
    def sync(self) -> int:
        """Take the present weights of the live object that this model is a copy of.

        An object with other settings, layers or variables than before gets a new graph,
        without what cells added to the old one.

        Returns
        -------
        int
            How many variables there are.

        Raises
        ------
        ModelStateError
            When the model is no copy.
        """
        with self.lifecycle.command_lock.hold():
            return interruptible(sync, self.lifecycle)

    @entry_point
    def save(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the model to disk, with its present weights.

        Parameters
        ----------
        path
            The suffix chooses the format: a SavedModel folder without one, a Keras file
            for ``.keras``, a frozen graph for ``.pb``.
        replace
            Whether an existing file or folder may be replaced.

        Returns
        -------
        Path
            Where the model was written. What was written is in `saved`.

        Raises
        ------
        SaveError
            When the format cannot hold the model.
        PathTakenError
            When something is there already.
        DestinationError
            When the path cannot be written to; an existing file stays as it was.
        ModelStateError
            When the model was dropped, or is still stopping.
        """
        from tfmagic.formats.save import save

        with self.lifecycle.command_lock.hold():
            saved = self.lifecycle.saved = interruptible(save, self.lifecycle, path, replace=replace)
            interruptible(self.lifecycle.training.note_safe, self.lifecycle.built_backend())
        return saved.path

    @entry_point
    def python(self) -> str:
        """Return plain TensorFlow code that does without tfmagic and gives the same answers.

        Returns
        -------
        str
            A module with a function of the model's name. It takes the inputs by name, and
            returns the outputs by name, as arrays.

        Raises
        ------
        SaveError
            When no file has the model's present weights: save it first.
        """
        from tfmagic.formats.python_code import python_of

        with self.lifecycle.command_lock.hold():
            return interruptible(python_of, self.lifecycle)

    def record(self) -> ModelRecord:
        """Return everything that a view shows of this model, as plain data."""
        return self.records.record()

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<model {self.name}: {self.source.kind}, {self.mode} mode, {self.state}>"
