"""Calls of a model: resolve the names, check the arrays, run the backend, keep the statistics."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.workers import workers
from tfmagic.errors import InputError, StoppedError
from tfmagic.execution.backends.fast_path import SHORT_S, FastCall, fast_call
from tfmagic.execution.backends.request import Request
from tfmagic.execution.signature.feeds import bind, check_names_given, outputs_given, require
from tfmagic.execution.signature.result import Result
from tfmagic.model.running.deadline import wait_for_call
from tfmagic.model.tracing.placement import Placement
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.graph.fed_values import has_open_end
from tfmagic.runtime.memory.container_warning import container_warning
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.tensorflow.native_errors import in_one_line
from tfmagic.runtime.tracing.partition_graphs import placed_operations, requested_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.signature import TensorSpec
    from tfmagic.model.lifecycle.lifecycle import Lifecycle

T = TypeVar("T")
_LOG_DRAIN_S = 0.05


class Caller:
    """Calls one model and runs its cells; `trace` and `placement` are of the last traced run, None before the first."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.trace: Trace | None = None
        self.placement: Placement | None = None
        self.lifecycle = lifecycle
        self.statistics = lifecycle.statistics
        self._fast_calls: dict[tuple[str | None, str | tuple[str, ...] | None], FastCall] = {}
        # By the graph's version, feeds and fetches.
        self._open_ends: dict[tuple[int, tuple[str, ...], tuple[str, ...]], bool] = {}
        self._session = KernelSession()
        self._workers = workers()
        self._container_warning = container_warning()
        self._has_run = False
        self._warmed: set[tuple[Any, ...]] = set()
        self._opening: weakref.ref[Any] | None = None

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
        if backend.graph is not None:
            # A live object may take a mapping as it is.
            check_names_given(self.lifecycle.name, value)
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
        if arrays is None or (not quick.is_short(arrays) and self._workers.caller_may_be_stopped):
            # In a worker, for which Ctrl-C need not wait.
            return None
        self.lifecycle.used_at_s = time.monotonic()
        self._container_warning.before_run(self.lifecycle.name, self.statistics.peak_bytes)
        # It takes longer where a parked graph is opened, or XLA compiles for this shape.
        compiled, opening = backend.compiled, backend.opening
        warming = opening is None or (compiled is not None and compiled.is_new(quick.feeds, arrays))
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
            in_one_line(error, self.lifecycle.name)
            self.statistics.failed(began, error)
            raise
        if self.statistics.ended(began, warming=warming) > SHORT_S:
            quick.short_bytes = -1
        if compiled is not None:
            compiled.note(quick.feeds, arrays)
        return dict(zip(quick.names, outputs, strict=True))

    def checked_call(
        self, value: Any, inputs: Mapping[str, Any], fetch: Sequence[str] | str | None, signature: str | None
    ) -> Result:
        """Make a call, and remember how to repeat it; the parameters are those of `Model.run`."""
        request = self.request(value, inputs, fetch=fetch, signature=signature)
        feeds = request.feeds()
        size_bytes = sum(getattr(array, "nbytes", 0) for _, array in feeds)
        kind = signature, fetch if fetch is None or isinstance(fetch, str) else tuple(fetch)
        known = self._fast_calls.get(kind)
        began = time.perf_counter()
        if known is not None and size_bytes <= known.short_bytes:
            result = self.run(request, feeds)
        else:
            result = wait_for_call(self.lifecycle, lambda: self.run(request, feeds))
        latency_s = time.perf_counter() - began
        quick = fast_call(request, fetch)
        if quick is not None:
            if self._workers.interactive and not self._has_open_end(request.backend.graph, quick):
                quick.note_latency(size_bytes, latency_s)
            self._fast_calls[kind] = quick
        return result

    def _has_open_end(self, graph: Any, quick: FastCall) -> bool:
        kind = (graph.version, quick.feeds, tuple(quick.fetches))
        if kind not in self._open_ends:
            self._open_ends[kind] = has_open_end(graph, quick.feeds, quick.fetches)
        return self._open_ends[kind]

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
        self._container_warning.before_run(self.lifecycle.name, self.statistics.peak_bytes)
        arrays = request.feeds() if feeds is None else feeds

        def call() -> dict[str, Any]:
            while True:
                backend = self.lifecycle.built_backend()
                try:
                    if trace:
                        return self._traced(replace(request, backend=backend), arrays, is_real=counted)
                    return backend.call(request.signature, arrays, request.fetches)
                except Exception:
                    # Parked meanwhile: the new graph has the same names.
                    if self.lifecycle.is_released or self.lifecycle.backend is backend:
                        raise

        try:
            timed: AbstractContextManager[list[bool]] = self.statistics.timed() if counted else nullcontext([])
            with timed as warming:
                was_new = self._is_new(request, arrays)
                try:
                    # Several threads can run a native session at once; whether an object can, nobody knows.
                    result = Result(call() if request.backend.concurrent else self.alone(call))
                except Exception as error:
                    in_one_line(error, self.lifecycle.name)
                    raise
                warming.append(was_new)
            self._has_run = True
            self._note_warmed(request, arrays)
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
                    value = backend.room.run(cell, notebook, bound)
                    self.statistics.stopped = False
                except (KeyboardInterrupt, StoppedError):
                    self.statistics.stopped = True
                    raise
                else:
                    return value
                finally:
                    if not scope.cancelled:
                        # Log lines of the cell are assigned to this model only while it counts as running.
                        native_log().drain(_LOG_DRAIN_S)

    @defer_interrupts
    def alone(self, call: Callable[[], T]) -> T:
        """Make a call while no other command changes or calls the model."""
        with self.lifecycle.command_lock.hold(call=True):
            return call()

    def _is_new(self, request: Request, arrays: Sequence[tuple[TensorSpec, Any]]) -> bool:
        """Return whether the call will have to open, trace, prepare or compile something."""
        backend, opening = self.lifecycle.backend, None if self._opening is None else self._opening()
        is_open = backend is not None and opening is not None and backend.opening is opening
        return not is_open or _kind_of(request, arrays) not in self._warmed

    def _note_warmed(self, request: Request, arrays: Sequence[tuple[TensorSpec, Any]]) -> None:
        backend = self.lifecycle.backend
        opening = None if backend is None else backend.opening
        if opening is None:
            return
        if self._opening is None or self._opening() is not opening:
            self._opening = weakref.ref(opening)
            self._warmed = set()
        self._warmed.add(_kind_of(request, arrays))

    def _traced(self, request: Request, arrays: Sequence[tuple[TensorSpec, Any]], *, is_real: bool) -> dict[str, Any]:
        backend = request.backend
        outputs, profile = backend.profiled_call(request.signature, arrays, request.fetches)
        self.trace = Trace(request.model, backend.mode, profile)
        self.statistics.note_peak(profile.peak_bytes, is_real=is_real)
        if profile.partition_graphs:
            operations, variables = placed_operations(profile.partition_graphs), backend.weights().by_variable
            self.placement = Placement(operations, requested_devices(backend.graph), self.trace, variables, eager=False)
        return outputs


def _kind_of(request: Request, arrays: Sequence[tuple[TensorSpec, Any]]) -> tuple[Any, ...]:
    """Return what has to be prepared once for calls like this one."""
    names = tuple(spec.name for spec, _ in arrays)
    kind = (request.signature.name, names, tuple(request.fetches))
    if request.backend.graph is not None and request.backend.compiled is None:
        return kind
    # XLA compiles for each shape, and a live object's function may be traced for it.
    return (*kind, tuple((str(getattr(array, "dtype", "")), getattr(array, "shape", None)) for _, array in arrays))
