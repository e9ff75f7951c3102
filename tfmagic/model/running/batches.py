"""The inputs of a call in batches of rows, each batch made while the one before it runs."""

from __future__ import annotations

import sys
import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tfmagic.concurrency.workers import workers
from tfmagic.errors import InputError, SourceError
from tfmagic.execution.signature.feeds import checked_array
from tfmagic.execution.signature.signature import shape_text
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.concurrency.workers import Job
    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.signature import TensorSpec

T = TypeVar("T")
Span = tuple[int, int]

# A batch that takes less time to make is not prefetched: a thread costs as much.
_WORTH_S = 0.0005


class Batches:
    """The inputs of a request, in batches of `size` rows; the last may have fewer, and `total` is all rows.

    An input is split where the first axis of its shape is free or unknown. Every batch gets the
    others unchanged: a dropout rate has no rows. InputError says that nothing can be split, or
    that the inputs differ in rows; SourceError that an output has no row for each of the input's.
    """

    def __init__(self, request: Request, size: int) -> None:
        self._request = request
        self._size = size
        self._split: list[RowInput] = []
        self._whole: list[tuple[TensorSpec, Any]] = []
        for spec, value in request.given():
            rows = RowInput(request.model, spec, value) if _may_have_rows(spec) else None
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
        parts = {rows.spec.name: rows.array(start, stop) for rows in self._split}
        # Converted for each batch: a run may have made a fed buffer the memory of a variable.
        whole = {spec.name: checked_array(self._request.model, spec, value) for spec, value in self._whole}
        return [(spec, {**whole, **parts}[spec.name]) for spec, _ in self._request.given()]

    def next_feeds(self, start: int, stop: int) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs as `feeds` does, and make the next batch while this one runs."""
        return self._prefetcher.batch(start, stop)

    def check(self) -> None:
        """Check every batch; the InputError for one that does not fit names its rows."""
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
        single = next((spec for spec, _ in given if _may_have_rows(spec)), None)
        if single is not None:
            return f"{self._request.model}: input {single.name!r} is a single value, with no rows to split"
        listed = ", ".join(str(spec) for spec, _ in given)
        return f"{self._request.model} takes {listed}: no first axis is free, so there is nothing to split"


def checked_batches(request: Request, size: int) -> Batches:
    """Return the inputs of a request in batches, each checked; the errors are those of `Batches`."""
    batches = Batches(request, size)
    batches.check()
    return batches


def rows_text(start: int, stop: int, total: int) -> str:
    """Return ``rows 0 to 4095 of 10000``."""
    return f"rows {start} to {stop - 1} of {total}" if stop - start != 1 else f"row {start} of {total}"


def not_rows(model: str, name: str, shape: Any, rows: int | None = None) -> SourceError:
    """Return the error for an output that has no row for each of the input's."""
    if shape is None:
        problem = "is no array"
    elif not len(shape):
        problem = "is a single value"
    else:
        problem = f"is {shape_text(tuple(shape))}" + (f" for a batch of {rows} rows" if rows is not None else "")
    msg = (
        f"{model}: output {name!r} {problem}, so batches of it cannot be joined: "
        "run it without batches, or --fetch only outputs that have a row for each row of the input"
    )
    return SourceError(msg)


def _may_have_rows(spec: TensorSpec) -> bool:
    return spec.shape is None or (len(spec.shape) > 0 and spec.shape[0] is None)


class RowInput:
    """An input that is fed some rows at a time; `count` is its number of rows, None for a single value.

    The rows of an array, tensor, table or column are checked and converted when they are fed.
    Any other value becomes an array now. A structure, or a value that does not fit, raises InputError.
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

    def array(self, start: int, stop: int) -> Any:
        """Return the checked array of the rows from `start` up to `stop`."""
        value = self._value
        if isinstance(value, np.ndarray):
            part = value[start:stop]
        elif hasattr(value, "iloc"):
            part = value.iloc[start:stop]
        else:
            # Eagerly: in a current graph, slicing would add an operation.
            with eager_execution():
                part = value[start:stop]
        return checked_array(self._model, self.spec, part)


def _can_be_sliced(value: Any) -> bool:
    """Return whether some rows can be taken without converting all of them."""
    if isinstance(value, np.ndarray):
        return True
    pandas, tensorflow = sys.modules.get("pandas"), sys.modules.get("tensorflow")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        return True
    # Only tensors that have a value; sparse and ragged ones have no plain rows.
    return tensorflow is not None and isinstance(value, tensorflow.Tensor) and hasattr(value, "numpy")


class Prefetcher(Generic[T]):
    """Makes each batch of `spans` with `make(start, stop)`, one ahead of the caller where that takes long."""

    def __init__(self, make: Callable[[int, int], T], spans: Sequence[Span]) -> None:
        self._make = make
        self._next = dict(pairwise(spans))
        self._coming: tuple[Span, Job[tuple[T, float]]] | None = None

    def batch(self, start: int, stop: int) -> T:
        """Return a batch, and begin to make the next one."""
        span = (start, stop)
        coming, self._coming = self._coming, None
        if coming is None or coming[0] != span:
            batch, took_s = self._timed(span)
        else:
            coming[1].wait()
            batch, took_s = coming[1].result()
        following = self._next.get(span)
        if following is not None and took_s >= _WORTH_S:
            self._coming = following, workers().submit(partial(self._timed, following))
        return batch

    def _timed(self, span: Span) -> tuple[T, float]:
        """Return a batch and the seconds that making it took."""
        began = time.perf_counter()
        return self._make(*span), time.perf_counter() - began
