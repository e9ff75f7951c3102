"""A model that runs in a ``tf.Graph`` of its own, through the session."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import tensorflow as tf

from tfmagic.errors import InputError, SourceError, nearest_word
from tfmagic.execution.backends.folding import Folding
from tfmagic.execution.backends.run_graph import RunGraph
from tfmagic.execution.backends.tables_startup import Startup
from tfmagic.execution.room.variables import weights_of
from tfmagic.execution.signature.inference import fed_behind, find_tensor, tensor_names, tensor_spec
from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.runtime.session.hosted_graph import GraphState, hosted
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.session.open_graph import Preparation
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

    from tfmagic.concurrency.runs import Runs
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.backends.copied_values import CopiedValues
    from tfmagic.execution.backends.xla import XlaCompiler
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.signature import Signature, TensorSpec
    from tfmagic.graphdef.guard import Guard
    from tfmagic.runtime.calls.prepared_call import Executor, PreparedCall
    from tfmagic.runtime.session.open_graph import OpenGraph
    from tfmagic.runtime.state.kept_state import KeptState


class GraphBackend:
    """How a graph model runs.

    Parameters
    ----------
    room
        The model's room, with its graph.
    signatures
        By name.
    fill
        Gives a newly opened native session its variables' values.
    guard
        Looks through fetches of a graph that came from a file; None for one
        that the person built.
    live_values
        For a copy of a live object, gives the present values of its variables.

    Attributes
    ----------
    startup : Startup
        How the tables of the source are filled.
    executor : str or None
        Whose thread runs the operations; None for the quickest.
    """

    mode: Literal["graph"] = "graph"
    concurrent = True
    live = None

    def __init__(
        self,
        room: Room,
        signatures: Mapping[str, Signature],
        fill: Callable[[Any], None],
        guard: Guard | None = None,
        live_values: Callable[[], Iterable[tuple[str, np.ndarray]]] | None = None,
    ) -> None:
        self.room = room
        self.signatures = dict(signatures)
        self.guard = guard
        self.live_values = live_values
        self.remake: Callable[[], Backend] | None = None
        self.copied_values: CopiedValues | None = None
        self.needs_no_file = False
        self.startup = Startup()
        self.archivist: Callable[[Path], Iterable[str]] | None = None
        self.executor: Executor | None = None
        self.compiled: XlaCompiler | None = None
        self._fill = fill
        self._weighed: tuple[int, Weights] | None = None
        self._needs: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[str]] = {}
        self._guarded: set[tuple[str, ...]] = set()
        self._former: tuple[str, Callable[[Any], None] | None, Callable[[Any], None] | None, Preparation] | None = None

    @property
    def graph(self) -> Any:
        """The model's graph."""
        return self.room.graph

    @property
    def runs(self) -> Runs:
        """The native runs that are under way."""
        return hosted(self.graph).runs

    @property
    def running(self) -> bool:
        """Whether a native run is under way."""
        return len(self.runs) > 0

    @property
    def stopping(self) -> bool:
        """Whether an interrupted native run is under way."""
        return self.runs.stopping_since is not None

    def cancel(self) -> bool:
        """End the runs under way, with the variables as they stand; return whether these could be read."""
        return KernelSession().cancel(self.graph)

    def weights(self) -> Weights:
        """Return what the graph's variables and constants weigh."""
        version = self.graph.version
        if self._weighed is None or self._weighed[0] != version:
            self._weighed = (version, weights_of(self.graph))
        return self._weighed[1]

    def memory(self) -> list[Any]:
        """Return the objects with which the model's memory goes."""
        return [self.graph]

    def open(self) -> None:
        """Open the native session and fill it, so that the first call need not."""
        record = hosted(self.graph)
        if record.label is not None and record.fill is not self._fill:
            # A live graph that is added again is the old model's until this one stands.
            self._former = (record.label, record.fill, record.prepare, record.preparation)
        self._host()
        KernelSession().open(self.graph)
        self._former = None

    @property
    def prepared(self) -> list[PreparedCall]:
        """The calls that were prepared since the graph was opened."""
        opened = hosted(self.graph).opened
        return [] if opened is None else opened.calls

    @property
    def calls_bytes(self) -> int:
        """The size of the constants that its calls hold: prepared ones, and sets of fetches that were run."""
        opened = hosted(self.graph).opened
        return 0 if opened is None else opened.native.kept_bytes + sum(call.held_bytes for call in opened.calls)

    @property
    def folded_bytes(self) -> int:
        """The size of the variables that are constants as well, in prepared calls."""
        return sum(call.folded_bytes for call in self.prepared)

    @property
    def parked(self) -> bool:
        """Whether its variables take no memory, until it is next run."""
        return hosted(self.graph).state is GraphState.PARKED

    @property
    def is_parked_whole(self) -> bool:
        """Whether it is parked in a file, so that its source is not needed for its weights."""
        return hosted(self.graph).spill is not None

    @property
    def is_kept(self) -> bool:
        """Whether its variables are kept while it has no native session: in a file, or in memory."""
        return hosted(self.graph).kept

    def park(self, place: Callable[[], Path], *, again: bool) -> int | None:
        """Have the variables take no memory until the graph is next run.

        Parameters
        ----------
        place
            Gives a path for a file.
        again
            Whether the source would give the values that the graph began with.

        Returns
        -------
        int or None
            The size of the file in bytes; 0 where none was needed, None where
            nothing was done, since a run is under way.

        Raises
        ------
        ParkError
            When the file cannot be written; the graph is as it was.
        """
        if self.is_kept and not self.parked:
            # In memory, since it could not be opened again when it was stopped.
            self.wake()
        written = 0
        spill: Spill | None = None

        def keep(opened: OpenGraph) -> KeptState:
            nonlocal written, spill
            if again and not self._has_changed():
                return OnDisk(None)
            spill = Spill(place())
            written = spill.write(values_and_tables(self.graph, opened.native))
            return OnDisk(spill)

        try:
            return written if hosted(self.graph).park(keep) else None
        except BaseException:
            # Interrupted once it was written, and before it counted.
            if spill is not None and not self.parked:
                spill.remove()
            raise

    def wake(self) -> None:
        """Give the graph its values back."""
        KernelSession().open(self.graph)

    def _has_changed(self) -> bool:
        return hosted(self.graph).history.changed or bool(tables_of(self.graph)) or self.was_written_to()

    def was_written_to(self) -> bool:
        """Return whether anything was run that can have changed a variable since the graph was filled."""
        return hosted(self.graph).history.may_have_written(self.graph)

    @property
    def may_have_learnt(self) -> bool:
        """Whether it may hold other values than its source gave; told from what was run, no value is read."""
        record = hosted(self.graph)
        return (record.opened is not None or record.kept) and self.was_written_to()

    def _host(self) -> None:
        KernelSession().host(
            self.graph,
            self.room.label,
            fill=self._fill,
            prepare=self.room.initialiser,
            # What was built here, and not read from a file, may be built on.
            preparation=Preparation(Folding(self.graph, self.room.label), self.executor, grows=self.guard is None),
        )

    def values(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Give name and present value of each variable that has one, a few at a time; all if `names` is None."""
        with KernelSession().native(self.graph) as native:
            yield from values_of(self.graph).read(native, names)

    def learnt(self) -> Iterator[tuple[str, np.ndarray]]:
        """Give what training changes: variables, and columns of tables that are not empty. It wakes nothing."""
        tables, spill = tables_of(self.graph), hosted(self.graph).spill
        columns = {column for table in tables for column in (table.keys, table.entries)}
        found: Iterator[tuple[str, np.ndarray]]
        if spill is None:
            native = KernelSession().open(self.graph)
            found = chain(self.values(), read_tables(self.graph, native, tables))
        else:
            known = columns.union(values_of(self.graph).names())
            found = ((name, value) for name, value in spill.read() if name in known)
        yield from ((name, value) for name, value in found if name not in columns or len(value))

    def assign(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Give variables their values, consumed one by one; an array that was given must not be used again."""
        record = hosted(self.graph)
        with KernelSession().native(self.graph) as native:
            # Opened by now, which begins the history anew.
            record.history.note_assignment()
            values_of(self.graph).write(native, values)

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Count as running for as long as the block lasts; an error while a run that was interrupted goes on."""
        with hosted(self.graph).running():
            yield

    @property
    def fill(self) -> Callable[[Any], None]:
        """What gives a newly opened native session its variables' values."""
        return self._fill

    def fill_from(self, fill: Callable[[Any], None]) -> None:
        """Have native sessions filled by another function from now on."""
        self._fill = fill
        self._host()

    def fetch(self, signature: Signature, name: str) -> str:
        """Return the tensor that a fetch name means: an output, a room's name, any tensor.

        Raises
        ------
        SourceError
            When there is none; near names are offered.
        """
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
            self.guard.check([tensor])
        return tensor

    def extended(self, signature: Signature, names: Iterable[str]) -> Signature:
        """Return the signature with those of `names` that are other placeholders of the graph.

        They are inputs for what is fetched beside the outputs: a loss needs labels.
        """
        unknown = [name for name in names if signature.input(name) is None]
        found = [(name, self._placeholder(name)) for name in unknown]
        more = [tensor_spec(name, tensor, optional=True) for name, tensor in found if tensor is not None]
        return replace(signature, inputs=(*signature.inputs, *more)) if more else signature

    def _placeholder(self, name: str) -> Any:
        try:
            tensor = find_tensor(self.room.label, self.graph, self.room.names, name)
        except SourceError:
            return None
        return tensor if tensor.op.type in PLACEHOLDERS else None

    def needs(self, signature: Signature, tensors: Sequence[str]) -> frozenset[str]:
        """Return the inputs that the values of these tensors depend on.

        Raises
        ------
        InputError
            When they depend on a placeholder that is no input of the signature.
        """
        inputs = {str(spec.tensor): spec for spec in signature.inputs}
        key = (tuple(inputs), tuple(tensors))
        found = self._needs.get(key)
        if found is None:
            behind = fed_behind([self.graph.get_tensor_by_name(name) for name in tensors], inputs.keys())
            outside = next((name for name in behind if name not in inputs), None)
            if outside is not None:
                name = self._name_of(outside)
                msg = f"{self.room.label}: {', '.join(tensors)} needs the placeholder {name!r} too: give {name}=…"
                raise InputError(msg)
            found = frozenset(inputs[name].name for name in behind if not inputs[name].optional)
            self._needs[key] = found
        return found

    def _name_of(self, tensor: str) -> str:
        """Return what a person can call a tensor: a name of the room, or its operation's."""
        for name, value in self.room.names.items():
            if getattr(value, "name", None) == tensor and getattr(value, "graph", None) is self.graph:
                return name
        return tensor.split(":", maxsplit=1)[0]

    def call(
        self,
        signature: Signature,
        feeds: Sequence[tuple[TensorSpec, np.ndarray]],
        fetches: Sequence[tuple[str, str]],
    ) -> dict[str, Any]:
        """Run the graph, and return arrays by the names of `fetches`.

        Parameters
        ----------
        signature
            Not needed: the tensors say it all.
        feeds
            Inputs with their checked arrays.
        fetches
            Names for the results, with the tensors to fetch.
        """
        del signature
        return self._call(feeds, fetches)

    def profiled_call(
        self,
        signature: Signature,
        feeds: Sequence[tuple[TensorSpec, np.ndarray]],
        fetches: Sequence[tuple[str, str]],
    ) -> tuple[dict[str, Any], RunProfile]:
        """Run the graph as `call` does, with a full trace."""
        del signature
        metadata = tf.compat.v1.RunMetadata()
        began = time.perf_counter()
        outputs = self._call(feeds, fetches, metadata=metadata)
        wall_s = time.perf_counter() - began
        stats = metadata.step_stats
        executions = list(executions_of(stats))
        partition_graphs = list(metadata.partition_graphs)
        return outputs, RunProfile(wall_s, executions, partial(chrome_trace, stats), peak_of(stats), partition_graphs)

    def _call(
        self,
        feeds: Sequence[tuple[TensorSpec, np.ndarray]],
        fetches: Sequence[tuple[str, str]],
        *,
        metadata: Any = None,
    ) -> dict[str, Any]:
        tensors = tuple(tensor for _, tensor in fetches)
        if self.guard is not None and tensors not in self._guarded:
            self.guard.check(tensors)
            self._guarded.add(tensors)
        fed = {str(spec.tensor): array for spec, array in feeds}
        # The native call refuses a tensor that is both fed and fetched.
        run = tuple(tensor for tensor in dict.fromkeys(tensors) if tensor not in fed)
        values: Sequence[Any] = ()
        if run:
            given = tuple(fed)
            values = KernelSession().call(
                self.graph, given, self.run_for(given, run), list(fed.values()), metadata=metadata
            )
            if self.compiled is not None:
                self.compiled.note(given, fed.values())
        # A copy: a result is the caller's to change, and so is what was fed.
        echoed = {tensor: fed[tensor].copy() for tensor in tensors if tensor in fed}
        known = {**echoed, **dict(zip(run, values, strict=True))}
        return {name: known[tensor] for name, tensor in fetches}

    def settle(
        self,
        batches: Sequence[Sequence[tuple[TensorSpec, np.ndarray]]],
        fetches: Sequence[tuple[str, str]],
    ) -> None:
        """Find out how these calls run the quickest: `batches` has the feeds of each, with `fetches` as for `call`."""
        given = tuple(dict.fromkeys(str(spec.tensor) for spec, _ in batches[0]))
        run = tuple(tensor for tensor in dict.fromkeys(tensor for _, tensor in fetches) if tensor not in given)
        if run:
            arrays = [list({str(spec.tensor): array for spec, array in feeds}.values()) for feeds in batches]
            KernelSession().settle(self.graph, given, self.run_for(given, run), arrays)

    def run_for(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tensors that a run with these feeds fetches for `fetches`: themselves, or what was compiled."""
        return fetches if self.compiled is None else self.compiled.fetches(feeds, fetches)

    @contextmanager
    def run_graph(self, signature: Signature, zeros: object) -> Iterator[RunGraph]:
        """Yield the model's own graph, with the feeds and fetches of the signature."""
        del zeros
        feeds = [spec.tensor for spec in signature.inputs if spec.tensor is not None]
        yield RunGraph(self.graph, feeds, [spec.tensor for spec in signature.outputs if spec.tensor is not None])

    def close(self) -> None:
        """Free the variables and let go of the graph; a run under way is cancelled."""
        try:
            # Unless another model has taken over the same live graph meanwhile.
            if hosted(self.graph).fill is self._fill:
                if self._former is None:
                    KernelSession().evict(self.graph)
                else:
                    label, fill, prepare, preparation = self._former
                    KernelSession().host(self.graph, label, fill=fill, prepare=prepare, preparation=preparation)
        finally:
            self.room.namespace.clear()
            self.room.namespace.own.clear()
