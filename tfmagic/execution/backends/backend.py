"""What a model needs of what runs it: a graph in the session, or a live object that is called eagerly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    from tfmagic.concurrency.runs import Runs
    from tfmagic.execution.backends.copied_values import CopiedValues
    from tfmagic.execution.backends.run_graph import RunGraph
    from tfmagic.execution.backends.tables_startup import Startup
    from tfmagic.execution.backends.xla import XlaCompiler
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.room.variables import Weights
    from tfmagic.execution.signature.signature import Signature, TensorSpec
    from tfmagic.graphdef.guard import Guard
    from tfmagic.runtime.calls.prepared_call import PreparedCall
    from tfmagic.runtime.tracing.step_stats import RunProfile


class Backend(Protocol):
    """How one model runs.

    Attributes
    ----------
    guard
        Checks the fetches of a graph that came from a file; None for what the person built.
    live_values
        For a copy of a live object, gives the object's present values.
    remake
        For a copy of a live object, copies it again, with its present settings and weights.
    copied_values
        For a copy of a live object, tells whether the object has changed since.
    archivist
        For what was a Keras model, writes its ``.keras`` file with the present weights to a
        path, and gives the names of the variables in it.
    compiled
        Where XLA compiles the calls, finds the tensors to fetch instead.
    needs_no_file
        Whether everything the source holds is in memory, so that it is not read again.
    """

    room: Room
    signatures: dict[str, Signature]
    guard: Guard | None
    live_values: Callable[[], Iterable[tuple[str, np.ndarray]]] | None
    remake: Callable[[], Backend] | None
    copied_values: CopiedValues | None
    archivist: Callable[[Path], Iterable[str]] | None
    compiled: XlaCompiler | None
    startup: Startup
    needs_no_file: bool

    @property
    def mode(self) -> Literal["graph", "eager"]:
        """``graph`` or ``eager``."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may run it at once."""

    @property
    def graph(self) -> Any:
        """The graph; None for a live object."""

    @property
    def live(self) -> Any:
        """The live object; None for a graph."""

    @property
    def runs(self) -> Runs:
        """The runs that are under way."""

    @property
    def running(self) -> bool:
        """Whether a run is under way."""

    @property
    def stopping(self) -> bool:
        """Whether a run that was interrupted has not ended yet."""

    @property
    def parked(self) -> bool:
        """Whether its variables take no memory until it is next run."""

    @property
    def prepared(self) -> list[PreparedCall]:
        """The calls that were prepared."""

    @property
    def calls_bytes(self) -> int:
        """The size of the constants that its prepared calls hold."""

    @property
    def may_have_learnt(self) -> bool:
        """Whether it may hold other values than its source gave. No value is read."""

    def open(self) -> None:
        """Take the memory that runs need, so that the first call need not."""

    def close(self) -> None:
        """Free everything, or let go of the live object; runs under way are cancelled."""

    def cancel(self) -> bool:
        """End the runs under way; return whether the variables keep the values they had."""

    def weights(self) -> Weights:
        """Return the sizes of variables and constants."""

    def memory(self) -> list[Any]:
        """Return the Python objects that hold the model's memory."""

    def values(self, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield names and present values of variables, of all if `names` is None."""

    def learnt(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield names and present values of what training changes."""

    def assign(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Assign values to variables by name. The arrays must not be used afterwards."""

    def reserved(self) -> AbstractContextManager[None]:
        """Count the block as a run."""

    def fetch(self, signature: Signature, name: str) -> str:
        """Return the tensor, or the object's own output, that a fetch name means."""

    def extended(self, signature: Signature, names: Iterable[str]) -> Signature:
        """Return the signature with those of `names` that can be fed as well."""

    def needs(self, signature: Signature, tensors: Sequence[str]) -> frozenset[str]:
        """Return the inputs that the values of these tensors depend on."""

    def call(
        self,
        signature: Signature,
        feeds: Sequence[tuple[TensorSpec, Any]],
        fetches: Sequence[tuple[str, str]],
    ) -> dict[str, Any]:
        """Run it, and return arrays by the names of `fetches`."""

    def profiled_call(
        self,
        signature: Signature,
        feeds: Sequence[tuple[TensorSpec, Any]],
        fetches: Sequence[tuple[str, str]],
    ) -> tuple[dict[str, Any], RunProfile]:
        """Run it as `call` does, and return also where the time went."""

    def settle(
        self,
        batches: Sequence[Sequence[tuple[TensorSpec, np.ndarray]]],
        fetches: Sequence[tuple[str, str]],
    ) -> None:
        """Find the quickest way to make calls like these, where calls are prepared."""

    def run_graph(
        self, signature: Signature, zeros: Callable[[], Mapping[str, Any]]
    ) -> AbstractContextManager[RunGraph]:
        """Return the graph that a run on zeros executes. Nothing runs."""
