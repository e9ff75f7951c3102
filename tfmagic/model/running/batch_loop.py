"""A call in batches of rows: batch after batch under a progress bar, with the outputs joined."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tfmagic.errors import InputError, InterruptedRun, RunTimeoutError, SourceError
from tfmagic.execution.signature.result import Result
from tfmagic.execution.signature.signature import shape_text
from tfmagic.model.running.batches import checked_batches, not_rows, rows_text
from tfmagic.model.running.deadline import wait_for_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.model.running.caller import Caller

R = TypeVar("R", bound="Mapping[str, Any]")


def run_in_batches(caller: Caller, request: Request, size: int) -> Result:
    """Make a call in batches of `size` rows, and return the outputs joined on the first axis.

    Ctrl-C raises InterruptedRun at once and the deadline RunTimeoutError, both with the outputs
    of the batches that had ended. Inputs that cannot be split or do not fit raise InputError
    before anything runs; an output that cannot be joined raises SourceError after the first batch.
    """
    batches = wait_for_call(caller.lifecycle, lambda: checked_batches(request, size))
    outputs = BatchOutputs(batches.spans())
    name = caller.lifecycle.name

    def run(start: int, stop: int) -> None:
        answer = wait_for_call(caller.lifecycle, lambda: caller.run(request, batches.next_feeds(start, stop)))
        outputs.add({name: answer})

    result: Result = run_each_batch(name, batches.spans(), run, outputs, lambda: outputs.joined()[name])
    return result


def run_each_batch(
    name: str,
    spans: Sequence[tuple[int, int]],
    run: Callable[[int, int], None],
    outputs: BatchOutputs,
    result: Callable[[], R],
) -> R:
    """Run batch after batch under a progress bar, and return the result.

    `spans` are the first row of each batch and the row after its last. `run` runs one batch and
    adds to `outputs`. `result` returns the result of the batches so far, which an InterruptedRun
    or RunTimeoutError has too. `name` is for the bar and for messages.
    """
    total = spans[-1][1]
    several = len(spans) > 1
    try:
        with progress_bar(total, name) if several else nullcontext() as bar:
            for start, stop in spans:
                _run_batch(run, start, stop, total if several else None)
                if bar is not None:
                    bar.update(stop - start)
        return result()
    except KeyboardInterrupt:
        if not several:
            raise
        stopped = InterruptedRun(f"{name} was stopped {_after(outputs)}")
        stopped.partial, stopped.rows = result() if outputs else None, outputs.text
        raise stopped from None
    except RunTimeoutError as error:
        if several:
            error.partial, error.rows = result() if outputs else None, outputs.text
            error.args = (f"{error} (it came {_after(outputs)})",)
        raise


def _after(outputs: BatchOutputs) -> str:
    return f"after {outputs.text}" if outputs else "before the first batch had ended"


def _run_batch(run: Callable[[int, int], None], start: int, stop: int, total: int | None) -> None:
    """Run a batch; the error of one of several batches gets a note with its rows."""
    try:
        run(start, stop)
    except (InputError, RunTimeoutError):
        raise
    except Exception as error:
        if total is not None:
            error.add_note(f"raised for {rows_text(start, stop, total)}")
        raise


def progress_bar(total: int, name: str) -> Any:
    """Return a tqdm bar of rows: a widget in a notebook that has ipywidgets, else a line on stderr."""
    with warnings.catch_warnings():
        # Without ipywidgets tqdm warns at each import; a line of text is enough.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=name, unit=" rows")


class BatchOutputs:
    """The outputs of the batches that have ended, each written into one array; `spans` are those of all batches."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = spans
        self._total = spans[-1][1]
        # Counted after a batch is complete: an interrupt never sees half a batch.
        self._done = 0
        self._joined: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        """Return how many batches have ended."""
        return self._done

    @property
    def text(self) -> str:
        """The rows that have been run; empty before the first batch has ended."""
        return rows_text(0, self._spans[self._done - 1][1], self._total) if self._done else ""

    def add(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the outputs of the next batch, by model name; one that cannot be joined raises SourceError."""
        if len(self._spans) == 1:
            self._joined = {model: dict(named) for model, named in outputs.items()}
        else:
            start, stop = self._spans[self._done]
            for model, named in outputs.items():
                for name, value in named.items():
                    self._check(model, name, value)
                    self._array(model, name, value)[start:stop] = value
        self._done += 1

    def _array(self, model: str, name: str, value: Any) -> Any:
        """Return the array for all rows of an output, made with the first batch."""
        arrays = self._joined.setdefault(model, {})
        array = arrays.get(name)
        if array is None or (not self._done and array.dtype != value.dtype):
            array = arrays[name] = np.empty((self._total, *value.shape[1:]), value.dtype)
        elif array.dtype != value.dtype:
            array = arrays[name] = array.astype(np.result_type(array.dtype, value.dtype))
        return array

    def _check(self, model: str, name: str, value: Any) -> None:
        start, stop = self._spans[self._done]
        shape = value.shape if isinstance(value, (np.ndarray, np.generic)) else None
        if not shape or shape[0] != stop - start:
            raise not_rows(model, name, shape, stop - start)
        before = (stop - start, *self._joined[model][name].shape[1:]) if self._done else shape
        if before[1:] != shape[1:]:
            first = (self._spans[0][1] - self._spans[0][0], *before[1:])
            msg = (
                f"{model}: output {name!r} is {shape_text(first)} in the first batch and {shape_text(shape)} in "
                f"{rows_text(start, stop, self._total)}, which cannot be joined: run it without batches, "
                "or --fetch other outputs"
            )
            raise SourceError(msg)

    def joined(self) -> dict[str, Result]:
        """Return each model's outputs so far, joined on the first axis."""
        done = self._done
        if not done:
            return {}
        if len(self._spans) == 1:
            return {model: Result(named) for model, named in self._joined.items()}
        rows = self._spans[done - 1][1]
        return {
            # A copy, which frees the memory for the batches that were not run.
            model: Result(
                {name: array if rows == self._total else array[:rows].copy() for name, array in named.items()}
            )
            for model, named in self._joined.items()
        }
