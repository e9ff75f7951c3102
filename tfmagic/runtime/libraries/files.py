"""The files behind what is loaded: where they are, whose they are, and which of them are there twice."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfmagic.runtime.libraries.duplicates import Candidate, duplicates
from tfmagic.runtime.libraries.elf import NoElfError, read_elf
from tfmagic.runtime.libraries.packages import distributions
from tfmagic.runtime.libraries.shared_objects import CUSTOM_OP, IMPORT, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.runtime.libraries.duplicates import DuplicateRecord
    from tfmagic.runtime.libraries.packages import Distribution
    from tfmagic.runtime.libraries.shared_objects import Arrival

_FRAMEWORK = "libtensorflow_framework"


@dataclass(frozen=True)
class LoadedFile:
    """A loaded file as it was found on disk."""

    arrival: Arrival
    path: str
    build_id: str | None
    uses_tensorflow: bool
    of_tensorflow: bool

    @property
    def occasion(self) -> str:
        """What it came with; a library of TensorFlow's users that nobody announced is a custom op's."""
        if self.arrival.phase == OTHER and self.uses_tensorflow and not self.of_tensorflow:
            return CUSTOM_OP
        return self.arrival.phase


@dataclass(frozen=True)
class _Header:
    path: str
    build_id: str | None
    needed: tuple[str, ...]


class FileCatalog:
    """What files say of themselves: each is read once."""

    def __init__(self) -> None:
        self._headers: dict[tuple[str, float], _Header] = {}
        self._owners: dict[str, Distribution | None] = {}

    def files(self, arrivals: Iterable[Arrival]) -> list[LoadedFile]:
        """Return what is known of the files of what is loaded, which is all that is kept."""
        folders = tuple(os.path.realpath(one) + os.sep for one in _tensorflow_folders())
        found, headers = [], {}
        for arrival in arrivals:
            # By when it came: another file may since have come to its path.
            key = (arrival.shared_object.path, arrival.at_s)
            header = headers[key] = self._headers.get(key) or _header(arrival.shared_object.path)
            found.append(
                LoadedFile(
                    arrival,
                    header.path,
                    header.build_id,
                    any(name.startswith(_FRAMEWORK) for name in header.needed),
                    arrival.phase == IMPORT or header.path.startswith(folders),
                )
            )
        self._headers = headers
        return found

    def duplicates(self, files: Sequence[LoadedFile], *, named: bool = True) -> list[DuplicateRecord]:
        """Return what is there more than once.

        Parameters
        ----------
        files
            What is loaded.
        named
            Whether the sentences name packages, whose lists take a tenth of a second
            to read the first time; else folders.
        """
        candidates = (Candidate(one.path, one.build_id) for one in files)
        return duplicates(candidates, self._owner_name if named else lambda _: None)

    def owner(self, path: str) -> Distribution | None:
        """Return the package that a file belongs to."""
        if path not in self._owners:
            self._owners[path] = distributions().owner(path)
        return self._owners[path]

    def _owner_name(self, path: str) -> str | None:
        owner = self.owner(path)
        return None if owner is None else owner.name


def _header(path: str) -> _Header:
    real = os.path.realpath(path)
    try:
        elf = read_elf(real)
    except (OSError, NoElfError):  # another platform's, or gone
        return _Header(real, None, ())
    return _Header(real, elf.build_id, elf.needed)


def _tensorflow_folders() -> list[str]:
    return [str(one) for one in getattr(sys.modules.get("tensorflow"), "__path__", ())]
