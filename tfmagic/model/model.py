"""A registered model, as a person has it: called, timed, saved."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.core.arguments import whole_number
from tfmagic.errors import InputError
from tfmagic.execution.signature.feeds import MISSING
from tfmagic.execution.signature.result import Result
from tfmagic.model.memory.parking import Parking
from tfmagic.model.record import record_of
from tfmagic.model.running.deadline import in_batches, patience_of, waited_for
from tfmagic.model.running.timing import timed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tfmagic.model.memory.parking import WakeRecord
    from tfmagic.model.record import ModelRecord
    from tfmagic.model.running.timing import Timing


class Model(Parking):
    """A model of the registry. Made by ``models.add``, not by hand."""

    # -- calling -------------------------------------------------------------

    def __call__(self, value: Any = MISSING, /, *, signature: str | None = None, **inputs: Any) -> Any:
        """Run the model: the array where there is one output, else all by name.

        The parameters and errors are those of `run`.
        """
        __tracebackhide__ = True
        quick = self.quickly(value, inputs, None, signature)
        if quick is not None:
            if len(quick) == 1:
                (answer,) = quick.values()
                return answer
            return Result(quick)
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
        if not isinstance(trace, bool):
            msg = (
                f"{self.name}: trace is whether to trace this run, got {type(trace).__name__}; "
                "an input of that name is given in a dict, as the first value"
            )
            raise InputError(msg)
        if batch_size is None and timeout is None and not trace:
            quick = self.quickly(value, inputs, fetch, signature)
            return self.asked_and_answered(value, inputs, fetch, signature) if quick is None else Result(quick)
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

    # -- what stays of it ----------------------------------------------------------

    @defer_interrupts
    def wake(self) -> WakeRecord:
        """Give the model its memory back as `Parking.wake` does; one that was warmed is warmed again."""
        __tracebackhide__ = True
        record = super().wake()
        if record["outcome"] == "woken" and self.is_warmed:
            from tfmagic.model.running.warm_up import settle

            settle(self)
            record["warmed"] = self.is_warmed
        return record

    @defer_interrupts
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
        from tfmagic.formats.save import save

        with self.command_lock.hold():
            self.saved = interruptible(partial(save, self, path, replace=replace))
            interruptible(self.note_safe)
        return self.saved.path

    @defer_interrupts
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
        from tfmagic.formats.python_code import python_of

        with self.command_lock.hold():
            return interruptible(partial(python_of, self))

    # -- as plain data ---------------------------------------------------------------

    def record(self) -> ModelRecord:
        """Return what a view shows of this model, as plain data."""
        return record_of(self)

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<model {self.name}: {self.source.kind}, {self.mode} mode, {self.state}>"
