"""What every kind of source has in common, and what is known of a file before it is loaded."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import tensorflow as tf

from tfmagic.core.paths import disk_bytes
from tfmagic.errors import SourceError
from tfmagic.runtime.memory.process_memory import available_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature, SignatureRecord


class FileRecord(TypedDict):
    """A file that could become a model. None stands for what is not known without loading it.

    ``weights_bytes`` comes from shapes and dtypes, ``disk_bytes`` counts all files, and ``available_bytes`` is the
    memory that is left, a container's limit counted; ``fits`` compares the weights with that.
    """

    path: str
    kind: str
    tags: list[list[str]]
    signatures: list[SignatureRecord]
    variables: int | None
    weights_bytes: int | None
    disk_bytes: int
    available_bytes: int | None
    fits: bool | None
    notes: list[str]


def file_record(
    path: Path,
    kind: str,
    *,
    tags: Sequence[list[str]] = (),
    signatures: Iterable[Signature] = (),
    variables: int | None = None,
    weights_bytes: int | None = None,
    notes: Iterable[str] = (),
    refusals: Sequence[str] = (),
    size_bytes: int | None = None,
) -> FileRecord:
    """Return the record of a file; ``size_bytes`` is for one that consists of several files.

    ``refusals`` say why it takes more than there is, whatever its weights take.
    """
    available = available_bytes()
    return {
        "path": str(path),
        "kind": kind,
        "disk_bytes": disk_bytes(path) if size_bytes is None else size_bytes,
        "available_bytes": available,
        "fits": False if refusals else _fits(weights_bytes, available),
        "tags": list(tags),
        "signatures": [signature.record() for signature in signatures],
        "variables": variables,
        "weights_bytes": weights_bytes,
        "notes": [*refusals, *notes],
    }


def _fits(weights_bytes: int | None, available: int | None) -> bool | None:
    return None if available is None or weights_bytes is None else weights_bytes <= available


def checkpoint_size(prefix: Path) -> tuple[int, int]:
    """Return the number of a checkpoint's tensors and their bytes; only its index is read."""
    # TF1's first format has no index: the values are in a file of that name, or in several, named by a pattern.
    is_first = prefix.is_file() or "?" in prefix.name
    if not is_first and not prefix.with_name(f"{prefix.name}.index").is_file():
        return 0, 0
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except Exception as error:
        # An index that ends too early is an IndexError, other damage an error of TensorFlow's or of Python's.
        msg = f"{prefix}{'' if is_first else '.index'} cannot be read, it may be damaged ({str(error).splitlines()[0]})"
        raise SourceError(msg) from error
    # Text has no fixed size: the object graph of a v2 checkpoint is text.
    weights = {name: shape for name, shape in shapes.items() if dtypes[name] != tf.string}
    return len(weights), sum(math.prod(shape) * dtypes[name].size for name, shape in weights.items())


def placeholder_note(definition: Any) -> list[str]:
    """Return a note that lists a graph's placeholders, if it has any."""
    inputs = [node.name for node in definition.node if node.op.startswith("Placeholder")]
    return [f"placeholders: {', '.join(inputs)}"] if inputs else []


@dataclass
class Built:
    """What a source makes: the backend that runs the model, and notes for the person."""

    backend: GraphBackend | EagerBackend
    notes: list[str] = field(default_factory=list)


class Source(ABC):
    """Where a model came from, and so how to get it again.

    ``text`` is what the person typed, or the nearest to it; the same text under a taken name means the same source.
    ``kind`` is for lists, ``mode`` is ``graph`` or ``eager``, and ``takes_options`` names those of the options that
    only some sources have. ``loses_training`` is true where building it again gives an untrained model.
    """

    kind: ClassVar[str]
    mode: ClassVar[str] = "graph"
    takes_options: ClassVar[frozenset[str]] = frozenset()
    loses_training: ClassVar[bool] = False
    path: Path | None = None

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def fingerprint(self) -> object:
        """Return something that changes when the source does; a source that is gone is a `SourceError`."""

    def check_options(self, model: str, options: Options) -> None:
        """Refuse options that mean nothing for this kind of source."""
        for option, given, needed in (
            ("copy", options.copy, "live objects (a file or a cell has a graph of its own already)"),
            ("objects", options.objects is not None, "Keras files"),
            ("tags", options.tags is not None, "SavedModels"),
            ("frozen", options.frozen, "frozen graphs (.pb, .pbtxt and GraphDefs)"),
        ):
            if given and option not in self.takes_options:
                msg = f"{model}: --{option} is for {needed}, and this is a {self.kind}: leave it out"
                raise SourceError(msg)

    @abstractmethod
    def build(self, model: str, options: Options) -> Built:
        """Make the model of this name with the options of ``add``; after a `SourceError` nothing is left behind."""

    @property
    def identity(self) -> str:
        """What has to be equal for a taken name to mean the same source, changed or not."""
        return self.text if self.path is None else str(self.path.resolve())

    def resolved_path(self) -> Path | None:
        """Return the file or folder that is read, without links; None for what is in no file."""
        return None if self.path is None else self.path.resolve()

    def python(self, name: str, signature: Signature, options: Options) -> str | None:
        """Return TensorFlow code for the model in its file, as a function called `name`; None without a file."""
        del name, signature, options
        return None

    @property
    def where(self) -> str | None:
        """The path of the file or folder; None for what is in no file."""
        return None if self.path is None else str(self.path)

    def names_the_same(self, other: Source) -> bool:
        """Return whether `other` is the same source, changed or not."""
        return self.text == other.text or self.identity == other.identity

    def release(self) -> None:  # noqa: B027 - most sources hold nothing
        """Release what the source holds: its model was dropped."""


class FileSource(Source):
    """A model in a file or folder."""

    # How a message lists the kind, where its suffixes do not tell it.
    expected: ClassVar[str] = ""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path: Path = path

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Return whether a path without one of the kind's suffixes is of this kind."""
        del path
        return False

    def inspect(self) -> FileRecord:
        """Return what can be known of the file without loading it."""
        return file_record(self.path, self.kind)

    def signature_in_file(self, signature: Signature) -> Signature:
        """Return a signature that was saved to this file as the file has it."""
        return signature
