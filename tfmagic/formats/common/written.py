"""What writes a model, and what was written of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tfmagic.core.paths import FileStamp
    from tfmagic.execution.backends.backend import Backend
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
