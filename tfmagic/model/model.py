"""A registered model: the facade over its lifecycle, its calls and its memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.concurrency.deferral import interruptible
from tfmagic.concurrency.entry_point import entry_point, hide_own_frames, trim_traceback
from tfmagic.core.arguments import whole_number
from tfmagic.errors import InputError
from tfmagic.execution.signature.feeds import MISSING
from tfmagic.execution.signature.result import Result
from tfmagic.model.lifecycle.lifecycle import Lifecycle
from tfmagic.model.memory.parking import Parking
from tfmagic.model.record import Records
from tfmagic.model.running.caller import Caller
from tfmagic.model.running.deadline import call_scope, run_in_batches, wait_for_call
from tfmagic.model.running.room_cell import run_in_room
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
    from tfmagic.model.tracing.placement import Placement
    from tfmagic.model.tracing.trace import Trace


class Model:
    """A model of the registry. Made by ``models.add``, not by hand.

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

    # -- what it is ------------------------------------------------------------

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
        """What there was to say when it was added, such as the version chosen."""
        return self.lifecycle.notes

    @property
    def grew_bytes(self) -> int | None:
        """By how much the process grew when it was built; None before that, and where it shrank meanwhile."""
        return self.lifecycle.grew_bytes

    @hide_own_frames
    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given.

        Raises
        ------
        UnknownNameError
            When there is none of that name; the nearest is offered.
        """
        return self.lifecycle.signature(name)

    @property
    @hide_own_frames
    def signatures(self) -> Mapping[str, Signature]:
        """All signatures by name."""
        return dict(self.lifecycle.built_backend().signatures)

    @property
    @hide_own_frames
    def default_signature(self) -> str:
        """The name of the signature that a call uses."""
        return self.lifecycle.default_signature

    @property
    @hide_own_frames
    def names(self) -> Names:
        """The Python names of the model's room."""
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
        """Its variables, the largest first; of a parked model those that it has once it is loaded."""
        weights = self.parking.footprint.weights
        return () if weights is None else weights.by_variable

    @property
    def saved(self) -> LastSave | None:
        """Where it was last saved, and what was written; None before the first time."""
        return self.lifecycle.saved

    @property
    def is_warmed(self) -> bool:
        """Whether it was warmed, and has not been parked since."""
        return self.lifecycle.is_warm

    # -- figures of its calls --------------------------------------------------------

    @property
    def calls(self) -> int:
        """How many calls came to a result."""
        return self.caller.calls

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self.caller.last_latency_s

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return self.caller.median_latency_s

    @property
    def last_error(self) -> str | None:
        """The first line of what the last failed call, or a failed build, has raised."""
        return self.lifecycle.failure or self.caller.last_error

    @property
    def trace(self) -> Trace | None:
        """Where the time of the last traced run went; None before the first."""
        return self.caller.trace

    @property
    def placement(self) -> Placement | None:
        """Where its operations and variables are, as the last traced run has shown; None before the first."""
        return self.caller.placement

    # -- calling -------------------------------------------------------------

    def __call__(self, value: Any = MISSING, /, *, signature: str | None = None, **inputs: Any) -> Any:
        """Run the model: the array where there is one output, else all by name.

        The parameters and errors are those of `run`.
        """
        try:
            outputs = self.caller.fast_call(value, inputs, None, signature)
            if outputs is not None:
                if len(outputs) == 1:
                    (array,) = outputs.values()
                    return array
                return Result(outputs)
            result = self.run(value, signature=signature, **inputs)
        except BaseException as error:
            # Not by the decorator, which would be one more Python call.
            trim_traceback(error)
            raise
        return next(iter(result.values())) if len(result) == 1 else result

    @hide_own_frames
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
        if not isinstance(trace, bool):
            msg = (
                f"{self.name}: trace is whether to trace this run, got {type(trace).__name__}; "
                "an input of that name is given in a dict, as the first value"
            )
            raise InputError(msg)
        if batch_size is None and timeout is None and not trace:
            quick = self.caller.fast_call(value, inputs, fetch, signature)
            return self.caller.first_call(value, inputs, fetch, signature) if quick is None else Result(quick)
        return self.run_stoppable(
            value, inputs, fetch=fetch, signature=signature, batch_size=batch_size, timeout=timeout, trace=trace
        )

    @hide_own_frames
    @hide_own_frames
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
        return timed(self.caller, value, inputs, repeat=repeat, fetch=fetch, signature=signature, timeout=timeout)

    @entry_point
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
        """Run as `run` does, in a thread that Ctrl-C in a notebook need not wait for.

        The parameters are those of `run`, with the named inputs as a mapping.

        Raises
        ------
        KeyboardInterrupt
            At once; the model is ``stopping`` until its native run has ended. Of a
            run in batches an `InterruptedRun`, which has the outputs so far.
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
                return interruptible(partial(run_in_batches, self.caller, request, size))
            return wait_for_call(self.lifecycle, lambda: self.caller.run(request, trace=trace))

    @entry_point
    def execute(self, cell: Cell, notebook: Mapping[str, Any]) -> Any:
        """Run a cell in the model's room, and return the value of its last expression.

        Parameters
        ----------
        cell
            The code.
        notebook
            The names that the cell sees behind the room's own.
        """
        return run_in_room(self.lifecycle, cell, notebook, {"this": self})

    @entry_point
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
        return stop(self.lifecycle, now=now)

    # -- memory ----------------------------------------------------------------------

    @entry_point
    def park(self) -> ParkRecord:
        """Have the model take no tensor memory until it is next run; its name and signatures stay.

        Where its source gives the same weights again nothing is written. Otherwise they go
        into a file of the park directory, with everything that training needs.

        Raises
        ------
        ModelStateError
            For a live object, which is the notebook's, and while the model runs.
        ParkError
            When the file cannot be written; the model is as it was.
        """
        return self.parking.park()

    @entry_point
    def wake(self) -> WakeRecord:
        """Give the model its memory back, so that the next run need not; one that was warmed is warmed again.

        Raises
        ------
        ParkError
            When what was parked is not what was written.
        SourceError
            When the source has changed since.
        MemoryBudgetError
            When it does not fit into the budget.
        """
        record = self.parking.wake()
        if record["outcome"] == "woken" and self.is_warmed:
            from tfmagic.model.running.warm_up import settle

            settle(self.caller)
            record["warmed"] = self.is_warmed
        return record

    # -- its weights, elsewhere --------------------------------------------------------

    @entry_point
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
        with self.lifecycle.command_lock.hold():
            return interruptible(partial(sync, self.lifecycle))

    @entry_point
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
        from tfmagic.formats.save import save

        with self.lifecycle.command_lock.hold():
            saved = self.lifecycle.saved = interruptible(partial(save, self.lifecycle, path, replace=replace))
            interruptible(partial(self.lifecycle.training.note_safe, self.lifecycle.built_backend()))
        return saved.path

    @entry_point
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
        from tfmagic.formats.python_code import python_of

        with self.lifecycle.command_lock.hold():
            return interruptible(partial(python_of, self.lifecycle))

    # -- as plain data ---------------------------------------------------------------

    def record(self) -> ModelRecord:
        """Return what a view shows of this model, as plain data."""
        return self.records.record()

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<model {self.name}: {self.source.kind}, {self.mode} mode, {self.state}>"
