"""A model's answers: what a call asks, understood and made; and the cells that run in its room."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tfmagic.concurrency.cancel_scope import Errand, Patience
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.errors import InputError
from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.backends.fast_path import QuickCall, quick_call
from tfmagic.execution.backends.request import Request
from tfmagic.execution.signature.feeds import bind
from tfmagic.execution.signature.outputs import outputs_given, require
from tfmagic.execution.signature.result import Result
from tfmagic.model.lifecycle import Life
from tfmagic.model.running.statistics import Calls
from tfmagic.model.tracing.placement import placement_in
from tfmagic.model.tracing.trace import traced
from tfmagic.runtime.memory.container_warning import container_warning
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.concurrency.command_lock import CommandLock
    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import TensorSpec
    from tfmagic.formats.common.source import Source
    from tfmagic.model.tracing.placement import Placement
    from tfmagic.model.tracing.trace import Trace

T = TypeVar("T")

_SETTLE_S = 0.05


class Answers(Life):
    """A model that can be asked; how long to wait for an answer is told by what builds on this.

    Attributes
    ----------
    placement : Placement or None
        Where its operations and variables are, as its last traced run has shown;
        None before the first.
    row : tuple or None
        What `row_of` has made of it, with what tells whether that still holds.
    """

    def __init__(self, name: str, source: Source, options: Options, command_lock: CommandLock | None = None) -> None:
        super().__init__(name, source, options, command_lock)
        self._calls = Calls()
        self._quick: dict[tuple[str | None, str | tuple[str, ...] | None], QuickCall] = {}
        self._session = KernelSession()
        self._container_warning = container_warning()
        self._trace: Trace | None = None
        self._has_run = False
        self.placement: Placement | None = None
        self.row: tuple[object, Any] | None = None

    @property
    def trace(self) -> Trace | None:
        """Where the time of the last traced run went; None before the first."""
        return self._trace

    @property
    def has_run(self) -> bool:
        """Whether anything was run of it that prepares the runs after it, a person's call or not."""
        return self._has_run or self.calls > 0

    @property
    def calls(self) -> int:
        """How many calls came to a result."""
        return self._calls.count

    @property
    def last_latency_s(self) -> float | None:
        """How long the last call took; None before the first."""
        return self._calls.last_latency_s

    @property
    def median_latency_s(self) -> float | None:
        """The median of the last hundred calls; None before the first."""
        return self._calls.median_latency_s

    @property
    def last_error(self) -> str | None:
        """The first line of what the last failed call, or a failed build, has raised."""
        return self._failure or self._calls.last_error

    def ran_at(self, time_s: float) -> bool:
        """Return whether the model runs, or its last call was under way at a time in seconds since 1970."""
        return self.state == "running" or self._calls.under_way(time_s)

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
        backend = self.backend_now()
        given = [*inputs, *(value if isinstance(value, Mapping) else ())]
        chosen = backend.extended(self.signature(signature), given)
        bound = bind(self.name, chosen, value, inputs)
        if fetch is None:
            fetches = outputs_given(self.name, chosen, bound.keys())
        else:
            names = [fetch] if isinstance(fetch, str) else list(fetch)
            other = next((name for name in names if not isinstance(name, str)), None)
            if other is not None:
                msg = (
                    f"{self.name}: fetch takes names of outputs or tensors, got {type(other).__name__}; "
                    "an input of that name is given in a dict, as the first value"
                )
                raise InputError(msg)
            fetches = [(name, backend.fetch(chosen, name)) for name in names]
            require(self.name, chosen, backend.needs(chosen, [own for _, own in fetches]), bound.keys())
        return Request(self.name, backend, chosen, bound, fetches)

    def quickly(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        fetch: Sequence[str] | str | None,
        signature: str | None,
    ) -> Mapping[str, Any] | None:
        """Make a call that is like one that was made before; None where it has to be looked at.

        The parameters are those of `run`, with the named inputs as a mapping.
        """
        __tracebackhide__ = True
        try:
            quick = self._quick.get((signature, fetch if fetch is None or isinstance(fetch, str) else tuple(fetch)))
        except TypeError:
            return None
        backend = self._backend
        if quick is None or backend is None or quick.backend() is not backend or self._dropped:
            return None
        arrays = quick.arrays(value, inputs)
        if arrays is None:
            return None
        self.used_at_s = time.monotonic()
        self._container_warning.before_run(self.name, None if self._trace is None else self._trace.peak_bytes)
        began = time.perf_counter()
        try:
            outputs = self._session.call(backend.graph, quick.feeds, quick.fetches, arrays)
        except Exception as error:
            if self._dropped:
                # Cancelled by drop: the session says only that it was closed.
                raise self._gone() from error
            if self._backend is not backend:
                # Parked since, with its graph.
                return None
            self._calls.failed(began, error)
            raise
        self._calls.ended(began)
        if backend.compiled is not None:
            backend.compiled.note(quick.feeds, arrays)
        return dict(zip(quick.names, outputs, strict=True))

    def asked_and_answered(
        self,
        value: Any,
        inputs: Mapping[str, Any],
        fetch: Sequence[str] | str | None,
        signature: str | None,
    ) -> Result:
        """Make a call, and remember how the next one like it is made.

        The parameters are those of `run`, with the named inputs as a mapping.
        """
        __tracebackhide__ = True
        request = self.asked(value, inputs, fetch=fetch, signature=signature)
        result = self.answer(request)
        quick = quick_call(request, fetch)
        if quick is not None:
            self._quick[signature, fetch if fetch is None or isinstance(fetch, str) else tuple(fetch)] = quick
        return result

    def answer(
        self,
        request: Request,
        feeds: Sequence[tuple[TensorSpec, Any]] | None = None,
        *,
        patience: Patience | None = None,
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
        patience
            The caller's, where it may go before the call has ended.
        trace
            Whether to keep in `trace` where the time went.
        counted
            Whether it is one of the person's calls.
        """
        __tracebackhide__ = True
        self.used_at_s = time.monotonic()
        self._container_warning.before_run(self.name, None if self._trace is None else self._trace.peak_bytes)
        arrays = request.feeds() if feeds is None else feeds

        def call() -> dict[str, Any]:
            __tracebackhide__ = True
            while True:
                backend = self.backend_now()
                try:
                    if trace:
                        outputs, self._trace = traced(replace(request, backend=backend), arrays, patience or Patience())
                        if not isinstance(backend, EagerBackend):
                            self.placement = placement_in(self._trace, backend)
                        return outputs
                    return backend.call(request.signature, arrays, request.fetches, patience=patience)
                except Exception:
                    # Parked since, with its graph, and made again: of the same names.
                    if self._dropped or self._backend is backend:
                        raise

        try:
            with self._calls.timed() if counted else nullcontext():
                # Native sessions can be run by several threads at once; of an object nobody knows.
                result = Result(call() if request.backend.mode == "graph" else self._alone(call))
            self._has_run = True
        except Exception as error:
            if self._dropped:
                # Cancelled by drop: the session says only that it was closed.
                raise self._gone() from error
            raise
        return result

    @defer_interrupts
    def _alone(self, call: Callable[[], T]) -> T:
        __tracebackhide__ = True
        with self.command_lock.hold(call=True):
            return call()

    @defer_interrupts
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
        with self.command_lock.hold():
            self.used_at_s = time.monotonic()
            backend = self.backend_now()
            room = backend.room
            if backend.graph is not None:
                hosted(backend.graph).history.changed = True
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
                if here.given_up_at is None:
                    # What it has logged is in the log as this model's while it counts as running.
                    native_log().settle(_SETTLE_S)
                self._cells.pop(here)
