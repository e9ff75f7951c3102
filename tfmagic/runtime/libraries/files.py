"""The files of the loaded libraries: where they are, which package they belong to, and which are duplicates."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tfmagic.runtime.libraries.packages import owner_of
from tfmagic.runtime.libraries.shared_objects import CUSTOM_OP, IMPORT, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tfmagic.runtime.libraries.elf import FileHeader
    from tfmagic.runtime.libraries.packages import Distribution
    from tfmagic.runtime.libraries.shared_objects import LoadedObject

    OwnerOf = Callable[[str], Distribution | None]

_OPENMP = re.compile(r"(libgomp|libiomp5(?:md)?|libomp(?:140)?|vcomp\d+)\b")
# Wheels carry renamed copies: libgomp-a34b3233.so.1.0.0.
_WHEEL_MARK = re.compile(r"(?:-[0-9a-f]{8})+$")
_SUFFIX = re.compile(r"(?:(?:\.\d+)*\.so(?:\.\d+)*|(?:\.\d+)*\.dylib|\.dll)$")
_EXTENSION_MODULE = re.compile(r"\.(?:cpython-|abi3\.|pyd$)")
_SECOND_COPY = "_pywrap_profiler_plugin"
_FRAMEWORK = "libtensorflow_framework"


class DuplicateRecord(TypedDict):
    """Something that is loaded or registered more than once.

    Attributes
    ----------
    kind
        ``same library``, ``OpenMP``, ``TensorFlow's second copy`` or ``operation``.
    paths
        Where the copies come from.
    why
        One sentence: what it means.
    """

    kind: str
    name: str
    paths: list[str]
    why: str


@dataclass(frozen=True)
class LoadedFile:
    """A loaded object and its file on disk."""

    loaded: LoadedObject
    uses_tensorflow: bool
    of_tensorflow: bool

    @property
    def path(self) -> str:
        """The real path."""
        return self.loaded.header.path

    @property
    def phase(self) -> str:
        """In which phase it came; an unannounced library that uses TensorFlow is a custom op's."""
        if self.loaded.phase == OTHER and self.uses_tensorflow and not self.of_tensorflow:
            return CUSTOM_OP
        return self.loaded.phase


def loaded_files(loaded_objects: Iterable[LoadedObject]) -> list[LoadedFile]:
    """Return the files of loaded objects."""
    package_folders = getattr(sys.modules.get("tensorflow"), "__path__", ())
    folders = tuple(os.path.realpath(str(folder)) + os.sep for folder in package_folders)
    files = []
    for loaded in loaded_objects:
        uses_tensorflow = any(name.startswith(_FRAMEWORK) for name in loaded.header.needed)
        of_tensorflow = loaded.phase == IMPORT or loaded.header.path.startswith(folders)
        files.append(LoadedFile(loaded, uses_tensorflow, of_tensorflow))
    return files


def stem(path: str) -> str | None:
    """Return a library's name without version and wheel mark; None for an extension module of Python.

    Equal names mean nothing for extension modules: every second package has a ``_utils``.
    """
    name = Path(path).name
    if _EXTENSION_MODULE.search(name) or not _SUFFIX.search(name):
        return None
    bare = _WHEEL_MARK.sub("", _SUFFIX.sub("", name))
    return bare if bare.startswith(("lib", "vcomp")) else None


def duplicates(loaded: Iterable[FileHeader], owner: OwnerOf = owner_of) -> list[DuplicateRecord]:
    """Return what is loaded more than once; `owner` gives the package of a path, and is called for duplicates only."""
    by_path = {file.path: file for file in loaded}
    openmp = [path for path in by_path if _OPENMP.match(Path(path).name)]
    others = [file for path, file in by_path.items() if path not in openmp]
    records = [_openmp(openmp, owner)] if len(openmp) > 1 else []
    by_name = _groups((stem(file.path), file) for file in others)
    reported = {file for group in by_name.values() for file in group}
    by_contents = _groups((file.build_id, file) for file in others if file not in reported)
    groups = [*by_name.items(), *((Path(group[0].path).name, group) for group in by_contents.values())]
    records += [_same_library(name, group, owner) for name, group in groups]
    return records + _second_copy(by_path)


def _owners(paths: Iterable[str], owner: OwnerOf) -> str:
    """Return the packages of files, or the folders of files without a package, for a sentence."""
    packages = ((owner(path), path) for path in paths)
    return ", ".join(sorted(str(Path(path).parent) if package is None else package.name for package, path in packages))


def _groups(pairs: Iterable[tuple[str | None, FileHeader]]) -> dict[str, list[FileHeader]]:
    grouped: dict[str, list[FileHeader]] = {}
    for key, file in pairs:
        if key is not None:
            grouped.setdefault(key, []).append(file)
    return {key: group for key, group in grouped.items() if len(group) > 1}


def _openmp(paths: Sequence[str], owner: OwnerOf) -> DuplicateRecord:
    kinds = sorted({stem(path) or Path(path).name for path in paths})
    why = (
        f"{len(paths)} OpenMP runtimes ({_owners(paths, owner)}) keep a pool of threads each: side by side they can "
        "start more threads than there are processors (OMP_NUM_THREADS, set before they are loaded, limits each)"
    )
    return {"kind": "OpenMP", "name": " and ".join(kinds), "paths": sorted(paths), "why": why}


def _same_library(name: str, group: Sequence[FileHeader], owner: OwnerOf) -> DuplicateRecord:
    paths = sorted(file.path for file in group)
    loaded = f"{name} is loaded from {len(group)} paths"
    if len({file.build_id for file in group}) == 1 and group[0].build_id is not None:
        why = (
            f"{loaded} with the same contents (their build ids are the same): "
            "one copy would do, and what is set in one does not hold in the other"
        )
    else:
        why = (
            f"{loaded} ({_owners(paths, owner)}): each copy has memory and settings of its own, "
            "which does no harm as long as nothing made by one is handed to the other"
        )
    return {"kind": "same library", "name": name, "paths": paths, "why": why}


def _second_copy(paths: Iterable[str]) -> list[DuplicateRecord]:
    pair = sorted(path for path in paths if Path(path).name.startswith((_SECOND_COPY, _FRAMEWORK)))
    if {Path(path).name.partition(".")[0] for path in pair} != {_SECOND_COPY, _FRAMEWORK}:
        return []
    why = (
        "TensorFlow's own: the profiler's plugin holds a second copy of code that is in libtensorflow_framework, "
        "which is why TensorFlow's start-up messages come twice; it is so in every process that imports TensorFlow"
    )
    return [{"kind": "TensorFlow's second copy", "name": _SECOND_COPY, "paths": pair, "why": why}]
