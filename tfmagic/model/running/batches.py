"""A call in batches of rows: which inputs are split, where, and what comes together again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError, SourceError
from tfmagic.execution.signature.feeds import checked_array
from tfmagic.execution.signature.result import Result
from tfmagic.execution.signature.signature import shape_text
from tfmagic.model.running.prefetch import Prefetcher
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.signature import TensorSpec


class Batches:
    """The inputs of a request, in batches of rows.

    An input is split where the first axis of its signature is free, or not known.
    Others go to every batch as they are: a dropout rate has no rows.

    Parameters
    ----------
    request
        What is asked.
    size
        How many rows a batch has; the last may have fewer.

    Attributes
    ----------
    total : int
        How many rows there are.

    Raises
    ------
    InputError
        Where nothing can be split, or the inputs differ in rows.
    SourceError
        For an output that is known not to have a row for each of the input's.
    """

    def __init__(self, request: Request, size: int) -> None:
        self._request = request
        self._size = size
        self._split: list[Rows] = []
        self._whole: list[tuple[TensorSpec, Any]] = []
        for spec, value in request.given():
            rows = Rows(request.model, spec, value) if _may_have_rows(spec) else None
            if rows is not None and rows.count is not None:
                self._split.append(rows)
            else:
                self._whole.append((spec, value))
        if not self._split:
            raise InputError(self._nothing_to_split())
        counts = {rows.spec.name: rows.count or 0 for rows in self._split}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
            msg = f"{request.model}: inputs in batches need as many rows each: {listed}"
            raise InputError(msg)
        self.total = next(iter(counts.values()))
        if len(self.spans()) > 1:
            for name, own in request.fetches:
                shape = request.static_shape(own)
                if shape is not None and (not shape or shape[0] is not None):
                    raise not_rows(request.model, name, shape)
        self._prefetcher = Prefetcher(self.feeds, self.spans())

    def spans(self) -> list[tuple[int, int]]:
        """Return the first row of each batch, and the row after its last; one of no rows for an empty input."""
        starts = range(0, max(self.total, 1), self._size)
        return [(start, min(start + self._size, self.total)) for start in starts]

    def feeds(self, start: int, stop: int) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs of one batch with their arrays, checked."""
        parts = {rows.spec.name: rows.some(start, stop) for rows in self._split}
        # Converted anew for each batch: a buffer that was fed may have become a variable's own memory.
        whole = {spec.name: checked_array(self._request.model, spec, value) for spec, value in self._whole}
        return [(spec, {**whole, **parts}[spec.name]) for spec, _ in self._request.given()]

    def take(self, start: int, stop: int) -> list[tuple[TensorSpec, Any]]:
        """Return what `feeds` does, and have the next batch made while this one runs."""
        return self._prefetcher.batch(start, stop)

    def check(self) -> None:
        """Look at every batch, so that one that does not fit is found before any runs.

        Raises
        ------
        InputError
            For an input that does not fit; the rows are in a note.
        """
        for start, stop in self.spans():
            try:
                self.feeds(start, stop)
            except InputError as error:
                if self.total > self._size:
                    msg = f"{error} (in {rows_text(start, stop, self.total)})"
                    raise InputError(msg) from None
                raise

    def _nothing_to_split(self) -> str:
        given = self._request.given()
        if not given:
            return f"{self._request.model} was given no input, so there are no rows to split into batches"
        single = [spec for spec, _ in given if _may_have_rows(spec)]
        if single:
            return f"{self._request.model}: input {single[0].name!r} is a single value, with no rows to split"
        listed = ", ".join(str(spec) for spec, _ in given)
        return f"{self._request.model} takes {listed}: no first axis is free, so there is nothing to split"


class Parts:
    """The outputs of the batches that have ended, each written into one array.

    Parameters
    ----------
    spans
        The first row of each batch, and the row after its last.
    """

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = spans
        self._total = spans[-1][1]
        # Counted last, in one step: an interrupt never finds half a batch.
        self._done = 0
        self._joined: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        """Return how many batches have ended."""
        return self._done

    @property
    def text(self) -> str:
        """Which rows have been done; empty before the first batch has ended."""
        return rows_text(0, self._spans[self._done - 1][1], self._total) if self._done else ""

    def add(self, outputs: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the outputs of the next batch, by model name.

        Raises
        ------
        SourceError
            For an output that cannot be joined to those of other batches.
        """
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
        """Return the array that an output is written into, made with its first batch."""
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
        """Return each model's outputs so far, joined on the first axis; empty before the first batch has ended."""
        done = self._done
        if not done:
            return {}
        if len(self._spans) == 1:
            return {model: Result(named) for model, named in self._joined.items()}
        rows = self._spans[done - 1][1]
        return {
            # Of some batches a copy, so that the room for the others goes.
            model: Result(
                {name: array if rows == self._total else array[:rows].copy() for name, array in named.items()}
            )
            for model, named in self._joined.items()
        }


def rows_text(start: int, stop: int, total: int) -> str:
    """Return ``rows 0 to 4095 of 10000``."""
    return f"rows {start} to {stop - 1} of {total}" if stop - start != 1 else f"row {start} of {total}"


def not_rows(model: str, name: str, shape: Any, rows: int | None = None) -> SourceError:
    """Return the error for an output that has no row for each of the input's."""
    if shape is None:
        what = "is no array"
    elif not len(shape):
        what = "is a single value"
    else:
        what = f"is {shape_text(tuple(shape))}" + (f" for a batch of {rows} rows" if rows is not None else "")
    msg = (
        f"{model}: output {name!r} {what}, so batches of it cannot be joined: "
        "run it without batches, or --fetch only outputs that have a row for each row of the input"
    )
    return SourceError(msg)


def _may_have_rows(spec: TensorSpec) -> bool:
    return spec.shape is None or (len(spec.shape) > 0 and spec.shape[0] is None)


class Rows:
    """An input of which some rows at a time are fed.

    Parameters
    ----------
    model
        The model's name, for messages.
    spec
        The input.
    value
        What was given for it. An array, tensor, table or column is taken as it is,
        and each part of it is checked and converted when it is asked for; anything
        else becomes one array now.

    Attributes
    ----------
    count : int or None
        How many rows there are; None for a single value, which has none.

    Raises
    ------
    InputError
        For a structure, and for what does not fit the input.
    """

    def __init__(self, model: str, spec: TensorSpec, value: Any) -> None:
        self.spec = spec
        self._model = model
        self._value = value if _can_be_sliced(value) else checked_array(model, spec, value)
        if not _can_be_sliced(self._value):
            msg = (
                f"{model}: input {spec.name!r} is a {type(value).__name__}, which has no rows to split: "
                "give an array, or run it without batches"
            )
            raise InputError(msg)
        shape = self._value.shape
        self.count: int | None = int(shape[0]) if len(shape) else None

    def some(self, start: int, stop: int) -> Any:
        """Return the checked array of the rows from `start` up to `stop`.

        Raises
        ------
        InputError
            When they do not fit the input.
        """
        value = self._value
        if isinstance(value, np.ndarray):
            part = value[start:stop]
        elif hasattr(value, "iloc"):
            part = value.iloc[start:stop]
        else:
            # Also where a graph is the current one, in which slicing would add an operation.
            with eager_execution():
                part = value[start:stop]
        return checked_array(self._model, self.spec, part)


def _can_be_sliced(value: Any) -> bool:
    """Return whether rows can be taken without looking at all of them."""
    if isinstance(value, np.ndarray):
        return True
    pandas, tensorflow = sys.modules.get("pandas"), sys.modules.get("tensorflow")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        return True
    # Of tensors only those that have a value; sparse and ragged ones have no plain rows.
    return tensorflow is not None and isinstance(value, tensorflow.Tensor) and hasattr(value, "numpy")
