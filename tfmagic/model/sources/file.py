"""What the sources that are files or folders have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.model.sources.source import Source

if TYPE_CHECKING:
    from pathlib import Path


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
