"""Calls of a model: resolve the names, check the arrays, run the backend, keep the figures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.errors import InputError
from tfmagic.execution.backends.fast_path import FastCall, fast_call
from tfmagic.execution.backends.request import Request
from tfmagic.execution.signature.feeds import bind, outputs_given, require
from tfmagic.execution.signature.result import Result
from tfmagic.model.running.statistics import Statistics
from tfmagic.model.tracing.placement import placement_of_graph
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.memory.container_warning import container_warning
from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.execution.signature.signature import TensorSpec
    from tfmagic.model.lifecycle.lifecycle import Lifecycle
    from tfmagic.model.tracing.placement import Placement

T = TypeVar("T")


class Caller:
    """Calls one model, and keeps the figures of its calls.

    Attributes
    ----------
    trace : Trace or None
        Where the time of the last traced run went; None before the first.
    placement : Placement or None
        Where operations and variables are, as the last traced run has shown; None before the first.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.trace: Trace | None = None
        self.placement: Placement | None = None
        self.lifecycle = lifecycle
        self._statistics = Statistics()
        self._fast_calls: dict[tuple[str | None, str | tuple[str, ...] | None], FastCall] = {}
        self._session = KernelSession()
        self._shortage = container_warning()
        self._has_run = False

    @property
    def has_run(self) -> bool:
        """Whether the model has run at all, for a person's call or not: the first run prepares those after it."""
        return self._has_run or self.calls > 0

    @property
    def calls(self) -> int:
        """How many calls came to a result."""
        return self._statistics.count

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self._statistics.last_latency_s

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return self._statistics.median_latency_s

    @property
    def last_error(self) -> str | None:
        """The first line of what the last failed call raised."""
        return self._statistics.last_error

    def was_running_at(self, time_s: float) -> bool:
        """Return whether the model runs, or its last call was under way at a time in seconds since 1970."""
        return self.lifecycle.state == "running" or self._statistics.under_way(time_s)

    def request(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        *,
        fetch: Sequence[str] | str | None = None,
        signature: str | None = None,
    ) -> Request:
        """Return a call with its names resolved and its values not yet checked; parameters as for `Model.run`."""
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
        self,
        value: Any,
        inputs: Mapping[str, Any],
        fetch: Sequence[str] | str | None,
        signature: str | None,
    ) -> Mapping[str, Any] | None:
        """Repeat an earlier call with other arrays; None where the inputs have to be checked more closely."""
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
        self._shortage.before_run(self.lifecycle.name, None if self.trace is None else self.trace.peak_bytes)
        began = time.perf_counter()
        try:
            outputs = self._session.call(backend.graph, quick.feeds, quick.fetches, arrays)
        except Exception as error:
            if self.lifecycle.is_released:
                # Cancelled by drop: the session says only that it was closed.
                raise self.lifecycle.gone_error() from error
            if self.lifecycle.backend is not backend:
                # Parked since, with its graph.
                return None
            self._statistics.failed(began, error)
            raise
        self._statistics.ended(began)
        if backend.compiled is not None:
            backend.compiled.note(quick.feeds, arrays)
        return dict(zip(quick.names, outputs, strict=True))

    def first_call(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        fetch: Sequence[str] | str | None,
        signature: str | None,
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
        """Make a call, and return its outputs by name.

        Parameters
        ----------
        request
            What `asked` has returned.
        feeds
            The inputs' checked arrays, where they are not all that the request has.
        trace
            Whether to keep in `trace` where the time went.
        counted
            Whether it is one of the person's calls.
        """
        self.lifecycle.used_at_s = time.monotonic()
        self._shortage.before_run(self.lifecycle.name, None if self.trace is None else self.trace.peak_bytes)
        arrays = request.feeds() if feeds is None else feeds

        def call() -> dict[str, Any]:
            while True:
                backend = self.lifecycle.built_backend()
                try:
                    if trace:
                        return self._traced(replace(request, backend=backend), arrays)
                    return backend.call(request.signature, arrays, request.fetches)
                except Exception:
                    # Parked since, with its graph, and made again: of the same names.
                    if self.lifecycle.is_released or self.lifecycle.backend is backend:
                        raise

        try:
            with self._statistics.timed() if counted else nullcontext():
                # Native sessions can be run by several threads at once; of an object nobody knows.
                result = Result(call() if request.backend.concurrent else self.alone(call))
            self._has_run = True
        except Exception as error:
            if self.lifecycle.is_released:
                # Cancelled by drop: the session says only that it was closed.
                raise self.lifecycle.gone_error() from error
            raise
        return result

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
            self.placement = placement_of_graph(self.trace, backend)
        return outputs
