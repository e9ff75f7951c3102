"""A model that is a ``tf.Graph``, run through the session."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import InputError, SourceError, nearest_word
from tfmagic.execution.backends.backend import Backend, GraphOfRun
from tfmagic.execution.backends.folding import Folding
from tfmagic.execution.room.variables import weights_of
from tfmagic.execution.signature.inference import find_tensor, tensor_names, tensor_spec
from tfmagic.execution.signature.needed_inputs import fed_behind
from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.runtime.calls.prepared_call import Preparation
from tfmagic.runtime.session.hosted_graph import GraphState, hosted
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.kept_state import OnDisk, values_and_tables
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.tables import read_tables, tables_of
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.private import chrome_trace
from tfmagic.runtime.tracing.step_stats import RunProfile, executions_of, peak_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.backends.backend import Feeds, Fetches
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.graphdef.guard import Guard
    from tfmagic.runtime.calls.prepared_call import Executor, PreparedCall
    from tfmagic.runtime.session.open_graph import OpenGraph
    from tfmagic.runtime.state.kept_state import KeptState


class GraphBackend(Backend):
    """How a graph model runs.

    `fill` assigns values to the variables of a newly opened native session. `guard` checks the
    fetches of a graph that came from a file. `executor` is whose thread runs the operations;
    None for the quickest.
    """

    mode = "graph"
    concurrent = True
    executor: Executor | None = None

    def __init__(
        self, room: Room, signatures: Mapping[str, Signature], fill: Callable[[Any], None], guard: Guard | None = None
    ) -> None:
        self._hosted = hosted(room.graph)
        super().__init__(room, signatures, self._hosted.runs)
        self.guard = guard
        self._fill = fill
        self._weights_at: tuple[int, Weights] | None = None
        self._required: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[str]] = {}
        self._checked: set[tuple[frozenset[str], tuple[str, ...]]] = set()
        self._host_as_before: Callable[[], None] | None = None

    def cancel(self) -> bool:
        """End the runs under way and keep the variables; return whether these could be read."""
        return KernelSession().cancel(self.graph)

    def weights(self) -> Weights:
        """Return the sizes of the graph's variables and constants."""
        version = self.graph.version
        if self._weights_at is None or self._weights_at[0] != version:
            self._weights_at = (version, weights_of(self.graph))
        return self._weights_at[1]

    def memory_owners(self) -> list[Any]:
        """Return the graph, which holds the native session."""
        return [self.graph]

    def open(self) -> None:
        """Open the native session and fill it, so that the first call need not."""
        record = self._hosted
        if record.label is not None and record.fill is not self._fill:
            # A live graph that is added again belongs to the old model until this one is open.
            self._host_as_before = partial(
                KernelSession().host,
                self.graph,
                record.label,
                fill=record.fill,
                prepare=record.prepare,
                preparation=record.preparation,
            )
        self._host()
        KernelSession().open(self.graph)
        self._host_as_before = None

    @property
    def opening(self) -> Any:
        """The open graph; None while it is closed."""
        return self._hosted.opened

    @property
    def prepared(self) -> list[PreparedCall]:
        """The calls that were prepared since the graph was opened."""
        opened = self._hosted.opened
        return [] if opened is None else opened.calls

    @property
    def calls_bytes(self) -> int:
        """The size of the constants that its calls hold: prepared ones, and sets of fetches that were run."""
        opened = self._hosted.opened
        return 0 if opened is None else opened.native.kept_bytes + sum(call.held_bytes for call in opened.calls)

    @property
    def parked(self) -> bool:
        """Whether its variables take no memory until the next run."""
        return self._hosted.state is GraphState.PARKED

    @property
    def is_spilled(self) -> bool:
        """Whether it is parked in a file, so that its source is not needed for its weights."""
        return self._hosted.spill is not None

    @property
    def is_kept(self) -> bool:
        """Whether its variables are kept while it has no native session: in a file, or in memory."""
        return self._hosted.kept

    def park(self, place: Callable[[], Path], *, source_unchanged: bool) -> int | None:
        """Free the memory of the variables until the graph is next run, and return the bytes written.

        None means that nothing was done, since a run is under way. `place` gives a path for a file,
        which is not needed if the unchanged source would give the same values again. A `ParkError`
        for a file that cannot be written leaves the graph as it was.
        """
        if self.is_kept and not self.parked:
            # In memory, since it could not be opened again when it was stopped.
            self.wake()
        written_bytes = 0
        spill: Spill | None = None

        def keep(opened: OpenGraph) -> KeptState:
            nonlocal written_bytes, spill
            is_changed = self._hosted.history.changed or tables_of(self.graph) or self.was_written_to()
            if source_unchanged and not is_changed:
                return OnDisk(None)
            spill = Spill(place())
            written_bytes = spill.write(values_and_tables(self.graph, opened.native))
            return OnDisk(spill)

        try:
            return written_bytes if self._hosted.park(keep) else None
        except BaseException:
            # An interrupt came after the file was written, and before the graph was parked.
            if spill is not None and not self.parked:
                spill.remove()
            raise

    def wake(self) -> None:
        """Open the graph with the values that it had."""
        KernelSession().open(self.graph)

    def was_written_to(self) -> bool:
        """Return whether anything was run that can have changed a variable since the graph was filled."""
        return self._hosted.history.may_have_written(self.graph)

    @property
    def may_be_trained(self) -> bool:
        """Whether it may hold other values than its source gave, judging by the operations that were run."""
        return (self._hosted.opened is not None or self._hosted.kept) and self.was_written_to()

    def _host(self) -> None:
        KernelSession().host(
            self.graph,
            self.room.label,
            fill=self._fill,
            prepare=self.room.initialiser,
            # A person may add to a graph that was built here, and not read from a file.
            preparation=Preparation(Folding(self.graph, self.room.label), self.executor, grows=self.guard is None),
        )

    def values(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and present value of each variable that has one, a few at a time; all if `names` is None."""
        with KernelSession().native(self.graph) as native:
            yield from values_of(self.graph).read(native, names)

    def trained_values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the values of variables, and the columns of tables that are not empty. A parked graph stays parked."""
        tables, spill = tables_of(self.graph), self._hosted.spill
        columns = {column for table in tables for column in (table.keys, table.entries)}
        values: Iterator[tuple[str, np.ndarray]]
        if spill is None:
            native = KernelSession().open(self.graph)
            values = chain(self.values(), read_tables(self.graph, native, tables))
        else:
            names = columns.union(values_of(self.graph).names())
            values = ((name, value) for name, value in spill.read() if name in names)
        yield from ((name, value) for name, value in values if name not in columns or len(value))

    def assign(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Assign values to variables, one by one. The arrays must not be used afterwards."""
        with KernelSession().native(self.graph) as native:
            # After the graph is open, since opening resets the history.
            self._hosted.history.note_assignment()
            values_of(self.graph).write(native, values)

    def set_fill(self, fill: Callable[[Any], None]) -> None:
        """Fill native sessions by another function from now on."""
        self._fill = fill
        self._host()

    def fetch(self, signature: Signature, name: str) -> str:
        """Return the tensor that a fetch name means: an output, a name of the room, or any tensor."""
        output = signature.output(name)
        if output is not None and output.tensor is not None:
            return output.tensor
        try:
            tensor = str(find_tensor(self.room.label, self.graph, self.room.names, name).name)
        except SourceError:
            if signature.outputs and ":" not in name and "/" not in name:
                names = ", ".join(spec.name for spec in signature.outputs)
                known = [*(spec.name for spec in signature.outputs), *tensor_names(self.graph, self.room.names)]
                near = nearest_word(name, known)
                msg = f"{self.room.label} has no output or tensor {name!r}{near}; its outputs are: {names}"
                raise SourceError(msg) from None
            raise
        if self.guard is not None:
            self.guard.check([tensor], given=signature.given)
        return tensor

    def with_optional_inputs(self, signature: Signature, names: Iterable[str]) -> Signature:
        """Return the signature with those of `names` that are other placeholders of the graph.

        They are inputs of tensors that are fetched beside the outputs: a loss needs labels.
        """
        placeholders = {name: self._placeholder(name) for name in names if signature.input(name) is None}
        more = [tensor_spec(name, tensor, optional=True) for name, tensor in placeholders.items() if tensor is not None]
        return replace(signature, inputs=(*signature.inputs, *more)) if more else signature

    def _placeholder(self, name: str) -> Any:
        try:
            tensor = find_tensor(self.room.label, self.graph, self.room.names, name)
        except SourceError:
            return None
        return tensor if tensor.op.type in PLACEHOLDERS else None

    def required_inputs(self, signature: Signature, tensors: Sequence[str]) -> frozenset[str]:
        """Return the inputs that these tensors depend on; an `InputError` if they need another placeholder."""
        inputs = {str(spec.tensor): spec for spec in signature.inputs}
        key = (tuple(inputs), tuple(tensors))
        required = self._required.get(key)
        if required is None:
            behind = fed_behind([self.graph.get_tensor_by_name(name) for name in tensors], inputs.keys())
            outside = next((name for name in behind if name not in inputs), None)
            if outside is not None:
                name = self._name_of(outside)
                msg = f"{self.room.label}: {', '.join(tensors)} needs the placeholder {name!r} too: give {name}=…"
                raise InputError(msg)
            required = frozenset(inputs[name].name for name in behind if not inputs[name].optional)
            self._required[key] = required
        return required

    def _name_of(self, tensor: str) -> str:
        """Return what a person can call a tensor: a name of the room, or its operation's."""
        for name, value in self.room.names.items():
            if getattr(value, "name", None) == tensor and getattr(value, "graph", None) is self.graph:
                return name
        return tensor.split(":", maxsplit=1)[0]

    def call(self, signature: Signature, feeds: Feeds, fetches: Fetches, *, metadata: Any = None) -> dict[str, Any]:
        """Run the graph, and return arrays by the names of `fetches`; `metadata` gets a full trace."""
        del signature
        tensors = tuple(tensor for _, tensor in fetches)
        fed = {str(spec.tensor): array for spec, array in feeds}
        feed_names = tuple(fed)
        if self.guard is not None and (frozenset(fed), tensors) not in self._checked:
            self.guard.check(tensors, given=fed)
            self._checked.add((frozenset(fed), tensors))
        # The native call refuses a tensor that is both fed and fetched.
        to_run = tuple(tensor for tensor in dict.fromkeys(tensors) if tensor not in fed)
        values: Sequence[Any] = ()
        if to_run:
            present = self.compiled_fetches(feed_names, to_run)
            values = KernelSession().call(self.graph, feed_names, present, list(fed.values()), metadata=metadata)
            if self.compiled is not None:
                self.compiled.note(feed_names, fed.values())
        # A copy: the caller may change a result, and an array that was fed.
        echoed = {tensor: fed[tensor].copy() for tensor in tensors if tensor in fed}
        results = {**echoed, **dict(zip(to_run, values, strict=True))}
        return {name: results[tensor] for name, tensor in fetches}

    def profiled_call(self, signature: Signature, feeds: Feeds, fetches: Fetches) -> tuple[dict[str, Any], RunProfile]:
        """Run the graph as `call` does, with a full trace."""
        metadata = tf.compat.v1.RunMetadata()
        began = time.perf_counter()
        outputs = self.call(signature, feeds, fetches, metadata=metadata)
        wall_s = time.perf_counter() - began
        stats = metadata.step_stats
        executions = list(executions_of(stats))
        partition_graphs = list(metadata.partition_graphs)
        return outputs, RunProfile(wall_s, executions, partial(chrome_trace, stats), peak_of(stats), partition_graphs)

    def choose_executor(self, batches: Sequence[Feeds], fetches: Fetches) -> None:
        """Find out how calls with these feeds and fetches run the quickest."""
        feed_names = tuple(dict.fromkeys(str(spec.tensor) for spec, _ in batches[0]))
        to_run = tuple(tensor for tensor in dict.fromkeys(tensor for _, tensor in fetches) if tensor not in feed_names)
        if to_run:
            arrays = [list({str(spec.tensor): array for spec, array in feeds}.values()) for feeds in batches]
            KernelSession().choose_executor(self.graph, feed_names, self.compiled_fetches(feed_names, to_run), arrays)

    @contextmanager
    def graph_of_run(self, signature: Signature, zeros: object) -> Iterator[GraphOfRun]:
        """Yield the model's own graph, with the feeds and fetches of the signature."""
        del zeros
        feeds = [spec.tensor for spec in signature.inputs if spec.tensor is not None]
        yield GraphOfRun(self.graph, feeds, [spec.tensor for spec in signature.outputs if spec.tensor is not None])

    def close(self) -> None:
        """Free the variables and let go of the graph; a run under way is cancelled."""
        try:
            # Unless another model uses the same live graph by now.
            if self._hosted.fill is self._fill:
                if self._host_as_before is None:
                    KernelSession().evict(self.graph)
                else:
                    self._host_as_before()
        finally:
            super().close()
