"""Where a model was last saved, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.model.record import SavedRecord
    from tfmagic.model.saving.formats import Format
    from tfmagic.model.sources.paths import FileStamp
    from tfmagic.model.written import Written


@dataclass(frozen=True)
class Saved:
    """Where a model was last saved, and as what.

    Attributes
    ----------
    path
        The file or folder.
    format
        Its format.
    size_bytes
        How large it is.
    written
        What it holds.
    stamp
        What tells whether its files are still those that were written.
    """

    path: Path
    format: Format
    size_bytes: int
    written: Written
    stamp: tuple[FileStamp, ...]

    def record(self) -> SavedRecord:
        """Return what a view shows of it, as plain data."""
        return {
            "path": str(self.path),
            "format": self.format.value,
            "size_bytes": self.size_bytes,
            "variables": self.written.variables,
            "for_training": self.written.for_training,
            "notes": list(self.written.notes),
        }
