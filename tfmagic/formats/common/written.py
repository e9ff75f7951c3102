"""What writes a model: the graph as a message, without what tfmagic added to it, and what was written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from tfmagic.errors import SaveError
from tfmagic.graphdef.op_types import RUNS_PYTHON
from tfmagic.graphdef.prune import merge_duplicate_variables, reached
from tfmagic.graphdef.walk import reachable_functions, remove_nodes
from tfmagic.runtime.state.variables_io import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tfmagic.core.paths import FileStamp
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import FileSource, Source


class SavedRecord(TypedDict):
    """What was written of a model; ``for_training`` counts the variables that no signature uses."""

    path: str
    format: str
    size_bytes: int
    variables: int
    for_training: int
    notes: list[str]


class SourcedModel(Protocol):
    """What saving a model, and its plain code, need to know of the model."""

    name: str
    source: Source
    options: Options
    fingerprint: object
    saved: LastSave | None

    @property
    def default_signature(self) -> str:
        """The name of the signature that a call uses."""

    def built_backend(self) -> Backend:
        """Return the backend; a model that was added lazily is built first."""

    def signature(self, name: str | None = None) -> Signature:
        """Return a signature, the default one if no name is given."""


@dataclass(frozen=True)
class ModelToWrite:
    """A model that is to be written: its backend, its default signature's name, its source's kind, its options."""

    backend: Backend
    signature: str
    kind: str
    options: Options


@dataclass(frozen=True)
class Written:
    """What a file holds: `for_training` variables are in no signature, `checksums` tell which have changed."""

    signature: Signature
    variables: int
    for_training: int
    checksums: Mapping[str, int]
    notes: tuple[str, ...] = ()


class Writer(ABC):
    """Writes one model in one format. Making it raises a `SaveError` where the format cannot hold the model."""

    @abstractmethod
    def __call__(self, path: Path) -> Written:
        """Write the file, or fill the empty folder."""

    def refill_from(self, path: Path) -> None:  # noqa: B027 - most read their file as they did before
        """Fill later native sessions from what was written: it has replaced the file that the model came from."""


def counted(variables: int) -> str:
    """Return ``1 variable`` or ``3 variables``."""
    return "1 variable" if variables == 1 else f"{variables} variables"


@dataclass(frozen=True)
class LastSave:
    """Where a model was last saved, the source that reads it there, and the stamp of the files that were written."""

    path: Path
    source: FileSource
    size_bytes: int
    written: Written
    stamp: tuple[FileStamp, ...]

    def record(self) -> SavedRecord:
        """Return what a view shows of it, as plain data."""
        return {
            "path": str(self.path),
            "format": self.source.kind,
            "size_bytes": self.size_bytes,
            "variables": self.written.variables,
            "for_training": self.written.for_training,
            "notes": list(self.written.notes),
        }


LARGEST_BYTES = 2**31 - 1
"""No message of protocol buffers, and so no graph, can be larger."""


def definition_to_write(backend: GraphBackend, signatures: Iterable[Signature]) -> Any:
    """Return the ``GraphDef`` of a model for a file with these signatures."""
    label, device = backend.room.label, backend.room.device
    if backend.weights().constants_bytes > LARGEST_BYTES:
        msg = f"{label} has more than 2 GB of constants, which no file of a graph can hold"
        raise SaveError(msg)
    definition = backend.graph.as_graph_def()
    tensors = tensors_of(signatures)
    own_nodes = [node.name for node in definition.node if not node.name.startswith(OURS)]
    kept = reached(definition, [*own_nodes, *tensors])
    remove_nodes(definition.node, lambda node: node.name not in kept)
    merge_duplicate_variables(definition)
    for node in definition.node:
        if device is not None and node.device == device:
            # A device of this machine means nothing on the next one.
            node.device = ""
    kept = reached(definition, tensors)
    nodes = [node for node in definition.node if node.name in kept]
    called = (function.node_def for function in reachable_functions(nodes, definition.library))
    python = next((node for body in (nodes, *called) for node in body if node.op in RUNS_PYTHON), None)
    if python is not None:
        msg = (
            f"{label} cannot be saved: its operation {python.name!r} ({python.op}) calls a Python function of "
            "this notebook, which no file holds"
        )
        raise SaveError(msg)
    return definition


def tensors_of(signatures: Iterable[Signature]) -> list[str]:
    """Return the names of the tensors that signatures take and give."""
    return [str(spec.tensor) for signature in signatures for spec in (*signature.inputs, *signature.outputs)]


def check_size(label: str, message: Any) -> None:
    """Refuse a message that is too large to be written."""
    if message.ByteSize() > LARGEST_BYTES:
        msg = f"{label}: its graph is larger than 2 GB, which no file of a graph can hold"
        raise SaveError(msg)
