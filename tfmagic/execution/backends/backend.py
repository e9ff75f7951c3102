"""What a model needs of its backend: a graph in the session, or a live object that is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tfmagic.runtime.graph.fed_values import loops_on_values
from tfmagic.runtime.graph.operations import may_write, stateful_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from tfmagic.concurrency.runs import Runs
    from tfmagic.execution.backends.copied_values import CopiedValues
    from tfmagic.execution.backends.xla import XlaCompiler
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.signature import Signature, TensorSpec
    from tfmagic.graphdef.guard import Guard
    from tfmagic.runtime.calls.prepared_call import PreparedCall
    from tfmagic.runtime.tracing.step_stats import RunProfile

    Feeds = Sequence[tuple[TensorSpec, Any]]
    """Inputs with their checked arrays; a live object may get structures of arrays."""
    Fetches = Sequence[tuple[str, str]]
    """Names for the results, with the tensors or the object's own outputs that they mean."""


@dataclass(frozen=True)
class TableFill:
    """How the tables of a graph that was read from a file are filled.

    `initialisers` are operations or tensors to run; `assets` has paths of the model's own files, by the
    tensor that is fed with each. `unused` counts variables of the file that nothing in the graph uses.
    """

    initialisers: tuple[str, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    unused: int = 0


@dataclass(frozen=True)
class GraphOfRun:
    """A graph with the names of the tensors that one run feeds and fetches; without `outputs` all of it runs.

    `call` runs a live object's traced function; it is None where the model itself runs the graph.
    """

    graph: Any
    feeds: Sequence[str]
    outputs: Sequence[str] | None = None
    call: Callable[[], Any] | None = None

    def writes(self) -> bool:
        """Return whether the run would change a variable."""
        return may_write(self.graph, self._names())

    def advances(self, *, new_function: bool = False) -> str | None:
        """Return the operation whose state the run would advance, such as a random generator's.

        A `new_function` was traced for this run alone, and shares its generators with no other.
        """
        return stateful_operation(self.graph, self._names(), is_new_trace=new_function)

    def loops_on_values(self) -> bool:
        """Return whether the run has a loop whose length depends on the values that are fed."""
        return loops_on_values(self.graph, list(self.feeds), self.outputs)

    def _names(self) -> list[str]:
        return [op.name for op in self.graph.get_operations()] if self.outputs is None else list(self.outputs)


class Backend(ABC):
    """How one model runs.

    Attributes
    ----------
    concurrent
        Whether several threads may run it at once.
    live
        The live object; None for a graph.
    guard
        Checks the fetches of a graph that came from a file; None for what the person built.
    live_values
        For a copy of a live object, gives the object's present values.
    remake
        For a copy of a live object, copies the object again, with its present settings and weights.
    copied_values
        For a copy of a live object, tells whether the object has changed since.
    keras_writer
        For a graph that was made from a Keras model, writes a ``.keras`` file with the present
        weights to a path, and gives the names of the variables in it.
    compiled
        Where XLA compiles the calls, finds the tensors to fetch instead.
    source_is_in_memory
        Whether the source is in memory, so that no file is read again.
    """

    mode: ClassVar[Literal["graph", "eager"]]
    concurrent: ClassVar[bool]
    live: Any = None
    guard: Guard | None = None
    live_values: Callable[[], Iterable[tuple[str, np.ndarray]]] | None = None
    remake: Callable[[], Backend] | None = None
    copied_values: CopiedValues | None = None
    keras_writer: Callable[[Path], Iterable[str]] | None = None
    compiled: XlaCompiler | None = None
    table_fill: TableFill = TableFill()
    source_is_in_memory = False

    def __init__(self, room: Room, signatures: Mapping[str, Signature], runs: Runs) -> None:
        self.room = room
        self.graph = room.graph
        self.signatures = dict(signatures)
        self.runs = runs

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return len(self.runs) > 0

    @property
    def stopping(self) -> bool:
        """Whether a run that was interrupted has not ended yet."""
        return self.runs.stopping_since is not None

    @property
    def parked(self) -> bool:
        """Whether its variables take no memory until the next run."""
        return False

    @property
    def opening(self) -> Any:
        """An object that stays the same for as long as nothing is loaded again; None while nothing is loaded."""
        return self

    @property
    def prepared(self) -> list[PreparedCall]:
        """The prepared calls."""
        return []

    @property
    def calls_bytes(self) -> int:
        """The size of the constants that calls hold."""
        return 0

    @property
    def may_be_trained(self) -> bool:
        """Whether it may hold other values than its source gave. No value is read."""
        return True

    @abstractmethod
    def open(self) -> None:
        """Take the memory that runs need, so that the first call need not."""

    def close(self) -> None:
        """Free everything, or let go of the live object; runs under way are cancelled."""
        self.room.namespace.clear()
        self.room.namespace.own.clear()

    @abstractmethod
    def cancel(self) -> bool:
        """End the runs under way; return whether the variables keep the values they had."""

    @abstractmethod
    def weights(self) -> Weights:
        """Return the sizes of variables and constants."""

    @abstractmethod
    def memory_owners(self) -> list[Any]:
        """Return the Python objects that hold the model's memory."""

    @abstractmethod
    def values(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield names and present values of variables, of all if `names` is None."""

    @abstractmethod
    def trained_values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield names and present values of what training changes."""

    @abstractmethod
    def assign(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Assign values to variables by name. The arrays must not be used afterwards."""

    @abstractmethod
    def fetch(self, signature: Signature, name: str) -> str:
        """Return the tensor, or the object's own output, that a fetch name means; a `SourceError` if there is none."""

    @abstractmethod
    def with_optional_inputs(self, signature: Signature, names: Iterable[str]) -> Signature:
        """Return the signature with those of `names` that can be fed as well."""

    @abstractmethod
    def required_inputs(self, signature: Signature, tensors: Sequence[str]) -> frozenset[str]:
        """Return the inputs that the values of these tensors depend on."""

    @abstractmethod
    def call(self, signature: Signature, feeds: Feeds, fetches: Fetches) -> dict[str, Any]:
        """Run the model, and return arrays by the names of `fetches`; of a live object all outputs if it is empty."""

    @abstractmethod
    def profiled_call(self, signature: Signature, feeds: Feeds, fetches: Fetches) -> tuple[dict[str, Any], RunProfile]:
        """Run the model as `call` does, and return also where the time went."""

    def compiled_fetches(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tensors to fetch in place of `fetches`: others where XLA compiles the calls."""
        return fetches if self.compiled is None else self.compiled.fetches(feeds, fetches)

    @abstractmethod
    def choose_executor(self, batches: Sequence[Feeds], fetches: Fetches) -> None:
        """Find the quickest way to make calls like these, where calls are prepared."""

    @abstractmethod
    def graph_of_run(
        self, signature: Signature, zeros: Callable[[], Mapping[str, Any]]
    ) -> AbstractContextManager[GraphOfRun]:
        """Return the graph that a run on zeros executes. Nothing runs."""
