"""Calls of a model: resolve the names, check the arrays, run the backend, keep the statistics."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.errors import InputError, MemoryBudgetError, StoppedError, first_line
from tfmagic.execution.backends.fast_path import FastCall, fast_call
from tfmagic.execution.backends.request import Request
from tfmagic.execution.signature.feeds import bind, outputs_given, require
from tfmagic.execution.signature.result import Result
from tfmagic.model.tracing.placement import Placement
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.memory.container_warning import container_warning
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.tracing.partition_graphs import placed_operations, requested_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.signature import TensorSpec
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")
_LOG_DRAIN_S = 0.05
_REMEMBERED = 100


class Caller:
    """Calls one model and runs its cells; `trace` and `placement` are of the last traced run, None before the first."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.trace: Trace | None = None
        self.placement: Placement | None = None
        self.lifecycle = lifecycle
        self.statistics = Statistics()
        self._fast_calls: dict[tuple[str | None, str | tuple[str, ...] | None], FastCall] = {}
        self._session = KernelSession()
        self._container_warning = container_warning()
        self._has_run = False

    @property
    def has_run(self) -> bool:
        """Whether the model has run at all, warming included: a first run takes longer."""
        return self._has_run or self.statistics.count > 0

    def was_running_at(self, time_s: float) -> bool:
        """Return whether the model runs now, or its last call was under way at a Unix time."""
        return self.lifecycle.state == "running" or self.statistics.was_running_at(time_s)

    def request(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        *,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
    ) -> Request:
        """Return a call with its names resolved and its values unchecked; the parameters are those of `Model.run`."""
        backend = self.lifecycle.built_backend()
        given = [*inputs, *(value if isinstance(value, Mapping) else ())]
        chosen = backend.with_optional_inputs(self.lifecycle.signature(signature), given)
        bound = bind(self.lifecycle.name, chosen, value, inputs)
        if fetch is None:
            fetches = outputs_given(self.lifecycle.name, chosen, bound.keys())
        else:
            names = [fetch] if isinstance(fetch, str) else list(fetch)
            other = next((name for name in names if not isinstance(name, str)), None)
            if other is not None:
                msg = (
                    f"{self.lifecycle.name}: fetch takes names of outputs or tensors, got {type(other).__name__}; "
                    "an input of that name is given in a dict, as the first value"
                )
                raise InputError(msg)
            fetches = [(name, backend.fetch(chosen, name)) for name in names]
            require(
                self.lifecycle.name, chosen, backend.required_inputs(chosen, [own for _, own in fetches]), bound.keys()
            )
        return Request(self.lifecycle.name, backend, chosen, bound, fetches)

    def fast_call(
        self, value: Any, inputs: Mapping[str, Any], fetch: Sequence[str] | str | None, signature: str | None
    ) -> Mapping[str, Any] | None:
        """Repeat an earlier call with other arrays; None where the inputs need to be checked more closely."""
        try:
            quick = self._fast_calls.get(
                (signature, fetch if fetch is None or isinstance(fetch, str) else tuple(fetch))
            )
        except TypeError:
            return None
        backend = self.lifecycle.backend
        if quick is None or backend is None or quick.backend() is not backend or self.lifecycle.is_released:
            return None
        arrays = quick.arrays(value, inputs)
        if arrays is None:
            return None
        self.lifecycle.used_at_s = time.monotonic()
        self._container_warning.before_run(self.lifecycle.name, None if self.trace is None else self.trace.peak_bytes)
        began = time.perf_counter()
        try:
            outputs = self._session.call(backend.graph, quick.feeds, quick.fetches, arrays)
        except Exception as error:
            if self.lifecycle.is_released:
                # Cancelled by a drop: the session's error says only that it was closed.
                raise self.lifecycle.gone_error() from error
            if self.lifecycle.backend is not backend:
                # Parked meanwhile, and its graph closed.
                return None
            self.statistics.failed(began, error)
            raise
        self.statistics.ended(began)
        if backend.compiled is not None:
            backend.compiled.note(quick.feeds, arrays)
        return dict(zip(quick.names, outputs, strict=True))

    def checked_call(
        self, value: Any, inputs: Mapping[str, Any], fetch: Sequence[str] | str | None, signature: str | None
    ) -> Result:
        """Make a call, and remember how to repeat it; the parameters are those of `Model.run`."""
        request = self.request(value, inputs, fetch=fetch, signature=signature)
        result = self.run(request)
        quick = fast_call(request, fetch)
        if quick is not None:
            self._fast_calls[signature, fetch if fetch is None or isinstance(fetch, str) else tuple(fetch)] = quick
        return result

    def run(
        self,
        request: Request,
        feeds: Sequence[tuple[TensorSpec, Any]] | None = None,
        *,
        trace: bool = False,
        counted: bool = True,
    ) -> Result:
        """Make a call, and return its outputs by name; `feeds` are checked arrays other than the request's own.

        With `trace`, the run is traced for `trace` and `placement`. Only a person's calls are counted.
        """
        self.lifecycle.used_at_s = time.monotonic()
        self._container_warning.before_run(self.lifecycle.name, None if self.trace is None else self.trace.peak_bytes)
        arrays = request.feeds() if feeds is None else feeds

        def call() -> dict[str, Any]:
            while True:
                backend = self.lifecycle.built_backend()
                try:
                    if trace:
                        return self._traced(replace(request, backend=backend), arrays)
                    return backend.call(request.signature, arrays, request.fetches)
                except Exception:
                    # Parked meanwhile: the new graph has the same names.
                    if self.lifecycle.is_released or self.lifecycle.backend is backend:
                        raise

        try:
            with self.statistics.timed() if counted else nullcontext():
                # Several threads can run a native session at once; whether an object can, nobody knows.
                result = Result(call() if request.backend.concurrent else self.alone(call))
            self._has_run = True
        except Exception as error:
            if self.lifecycle.is_released:
                # Cancelled by a drop: the session's error says only that it was closed.
                raise self.lifecycle.gone_error() from error
            raise
        return result

    @defer_interrupts
    def run_cell(self, cell: Cell, notebook: Mapping[str, Any], bound: Mapping[str, Any]) -> Any:
        """Run a cell in the model's room, and return the value of its last expression.

        The cell sees the names of the room, those in `bound`, and behind them the notebook's.
        """
        lifecycle = self.lifecycle
        with lifecycle.command_lock.hold():
            lifecycle.used_at_s = time.monotonic()
            backend = lifecycle.built_backend()
            if backend.graph is not None:
                hosted(backend.graph).history.changed = True
            with lifecycle.cells.running() as scope:
                try:
                    return backend.room.run(cell, notebook, bound)
                finally:
                    if not scope.cancelled:
                        # Log lines of the cell are assigned to this model only while it counts as running.
                        native_log().drain(_LOG_DRAIN_S)

    @defer_interrupts
    def alone(self, call: Callable[[], T]) -> T:
        """Make a call while no other command changes or calls the model."""
        with self.lifecycle.command_lock.hold(call=True):
            return call()

    def _traced(self, request: Request, arrays: Sequence[tuple[TensorSpec, Any]]) -> dict[str, Any]:
        backend = request.backend
        outputs, profile = backend.profiled_call(request.signature, arrays, request.fetches)
        self.trace = Trace(request.model, backend.mode, profile)
        if profile.partition_graphs:
            operations, variables = placed_operations(profile.partition_graphs), backend.weights().by_variable
            self.placement = Placement(operations, requested_devices(backend.graph), self.trace, variables, eager=False)
        return outputs


class Statistics:
    """Counts the calls of one model that returned a result, and keeps the first line of its last error."""

    def __init__(self) -> None:
        self.count = 0
        self.last_error: str | None = None
        self._latencies_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: tuple[float, float] | None = None

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count and time the block as one call."""
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.failed(began, error)
            raise
        self.ended(began)

    def ended(self, began: float) -> None:
        """Count a call that returned a result; it began at a time of ``time.perf_counter``."""
        now = time.perf_counter()
        self._last = began, now
        self.count += 1
        self._latencies_s.append(now - began)

    def failed(self, began: float, error: BaseException) -> None:
        """Note the error of a call."""
        self._last = began, time.perf_counter()
        # A call that was stopped, or had no room in the budget, is no error of the model.
        if isinstance(error, Exception) and not isinstance(error, (StoppedError, MemoryBudgetError)):
            self.last_error = first_line(error)

    def was_running_at(self, time_s: float) -> bool:
        """Return whether the last call that has ended ran at a time, in seconds since 1970."""
        if self._last is None:
            return False
        began, ended = self._last
        return began <= time.perf_counter() - (time.time() - time_s) <= ended

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self._latencies_s[-1] if self._latencies_s else None

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return statistics.median(list(self._latencies_s)) if self._latencies_s else None
