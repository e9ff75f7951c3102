"""What every kind of source has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature


LIVE = "live objects (a file or a cell has a graph of its own already)"
KERAS = "Keras files"
SAVED_MODELS = "SavedModels"
FROZEN = "frozen graphs (.pb, .pbtxt and GraphDefs)"


@dataclass
class Built:
    """What a source makes: how the model runs, and what there is to say about it."""

    backend: GraphBackend | EagerBackend
    notes: list[str] = field(default_factory=list)


class Source(ABC):
    """Where a model came from, and so how to get it again.

    Parameters
    ----------
    text
        What the person typed, or the nearest to it; the same text under a taken
        name means the same source.

    Attributes
    ----------
    kind : str
        In words, for lists.
    mode : str
        ``graph`` or ``eager``.
    takes_options : frozenset of str
        Which of the options that are for some sources alone it takes.
    is_written_anew : bool
        Whether building it again gives a model that has learnt nothing, so that
        what the present one has learnt must be kept.
    """

    kind: ClassVar[str]
    mode: ClassVar[str] = "graph"
    takes_options: ClassVar[frozenset[str]] = frozenset()
    is_written_anew: ClassVar[bool] = False

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def fingerprint(self) -> object:
        """Return something that changes when the source does.

        Raises
        ------
        SourceError
            When the source is gone.
        """

    def accept(self, model: str, options: Options) -> None:
        """Refuse options that mean nothing for this kind of source.

        Raises
        ------
        SourceError
            Naming the option, and what it is for.
        """
        for option, given, needed in (
            ("copy", options.copy, LIVE),
            ("objects", options.objects is not None, KERAS),
            ("tags", options.tags is not None, SAVED_MODELS),
            ("frozen", options.frozen, FROZEN),
        ):
            if given and option not in self.takes_options:
                msg = f"{model}: --{option} is for {needed}, and this is a {self.kind}: leave it out"
                raise SourceError(msg)

    @abstractmethod
    def build(self, model: str, options: Options) -> Built:
        """Make the model.

        Parameters
        ----------
        model
            The name it is to have.
        options
            What was said with ``add``.

        Raises
        ------
        SourceError
            When that cannot be done; nothing is left behind.
        """

    @property
    def identity(self) -> str:
        """What has to be equal for a taken name to mean the same source, changed or not."""
        return self.text

    def origin(self) -> Path | None:
        """Return the file or folder that is read, resolved; None for what is in no file."""
        return None

    def python(self, name: str, signature: Signature, options: Options) -> str | None:
        """Return plain TensorFlow code for the model as it is in its file; None for what is in no file.

        Parameters
        ----------
        name
            What its function is to be called.
        signature
            What it takes and gives, under the names that it has as a model.
        options
            What was said with ``add``.
        """
        del name, signature, options
        return None

    @property
    def where(self) -> str | None:
        """The path of the file or folder; None for what is in no file."""
        return None

    def names_the_same(self, other: Source) -> bool:
        """Return whether `other` is the same source, changed or not."""
        return self.text == other.text or self.identity == other.identity

    def release(self) -> None:  # noqa: B027 - most sources hold nothing
        """Let go of whatever the source holds: its model was dropped."""


class FileSource(Source):
    """A model in a file or folder.

    Parameters
    ----------
    path
        Where it is.
    text
        What the person typed.
    """

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path

    @property
    def identity(self) -> str:
        """The file itself, however its path was written."""
        return str(self.path.resolve())

    def origin(self) -> Path | None:
        """Return the path, resolved."""
        return self.path.resolve()

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)
