"""The files of the loaded libraries: where they are, which package they belong to, and which are duplicates."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tfmagic.runtime.libraries.duplicates import Candidate, duplicates
from tfmagic.runtime.libraries.elf import NoElfError, read_elf
from tfmagic.runtime.libraries.packages import distributions
from tfmagic.runtime.libraries.shared_objects import CUSTOM_OP, IMPORT, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.runtime.libraries.duplicates import DuplicateRecord
    from tfmagic.runtime.libraries.packages import Distribution
    from tfmagic.runtime.libraries.shared_objects import LoadedObject

_FRAMEWORK = "libtensorflow_framework"


@dataclass(frozen=True)
class LoadedFile:
    """A loaded object and its file on disk."""

    loaded: LoadedObject
    path: str
    build_id: str | None
    uses_tensorflow: bool
    of_tensorflow: bool

    @property
    def phase(self) -> str:
        """In which phase it came; an unannounced library that uses TensorFlow is a custom op's."""
        if self.loaded.phase == OTHER and self.uses_tensorflow and not self.of_tensorflow:
            return CUSTOM_OP
        return self.loaded.phase


class _Header(NamedTuple):
    path: str
    build_id: str | None
    needed: tuple[str, ...]


class FileCatalog:
    """Reads the header and the package of each loaded file once."""

    def __init__(self) -> None:
        self._headers: dict[tuple[str, float], _Header] = {}
        self._owners: dict[str, Distribution | None] = {}

    def files(self, loaded_objects: Iterable[LoadedObject]) -> list[LoadedFile]:
        """Return the files of the loaded objects, and forget all others."""
        package_folders = getattr(sys.modules.get("tensorflow"), "__path__", ())
        folders = tuple(os.path.realpath(str(folder)) + os.sep for folder in package_folders)
        files, headers = [], {}
        for loaded in loaded_objects:
            # With the time when it came: another file may since have come to its path.
            key = (loaded.shared_object.path, loaded.at_s)
            header = headers[key] = self._headers.get(key) or _header(loaded.shared_object.path)
            uses_tensorflow = any(name.startswith(_FRAMEWORK) for name in header.needed)
            of_tensorflow = loaded.phase == IMPORT or header.path.startswith(folders)
            files.append(LoadedFile(loaded, header.path, header.build_id, uses_tensorflow, of_tensorflow))
        self._headers = headers
        return files

    def duplicates(self, files: Sequence[LoadedFile], *, named: bool = True) -> list[DuplicateRecord]:
        """Return the files that are loaded more than once.

        With `named` the sentences name packages, whose lists take a tenth of a second to read the first time;
        otherwise folders.
        """
        candidates = (Candidate(file.path, file.build_id) for file in files)
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
