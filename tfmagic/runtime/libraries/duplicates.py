"""Libraries that a process has loaded more than once, each with a sentence that explains what it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


class Candidate(NamedTuple):
    """A loaded file: its real path, and the linker's fingerprint of its contents, if it has one."""

    path: str
    build_id: str | None


def stem(path: str) -> str | None:
    """Return a library's name without version and wheel mark; None for an extension module of Python.

    Equal names mean nothing for extension modules: every second package has a ``_utils``.
    """
    name = Path(path).name
    if _EXTENSION_MODULE.search(name) or not _SUFFIX.search(name):
        return None
    bare = _WHEEL_MARK.sub("", _SUFFIX.sub("", name))
    return bare if bare.startswith(("lib", "vcomp")) else None


def duplicates(loaded: Iterable[Candidate], owner: Callable[[str], str | None]) -> list[DuplicateRecord]:
    """Return what is loaded more than once; `owner` gives the package of a path, and is called for duplicates only."""

    def owners(group: Sequence[Candidate]) -> str:
        return ", ".join(sorted(owner(file.path) or str(Path(file.path).parent) for file in group))

    candidates = list({file.path: file for file in loaded}.values())
    openmp = [file for file in candidates if _OPENMP.match(Path(file.path).name)]
    others = [file for file in candidates if file not in openmp]
    records = [_openmp(openmp, owners(openmp))] if len(openmp) > 1 else []
    by_name = _groups((stem(file.path), file) for file in others)
    records += [_same_name(name, group, owners(group)) for name, group in by_name.items()]
    reported = {file.path for group in by_name.values() for file in group}
    by_contents = _groups((file.build_id, file) for file in others if file.path not in reported)
    records += [_same_contents(Path(group[0].path).name, group) for group in by_contents.values()]
    return records + _second_copy(candidates)


def _groups(pairs: Iterable[tuple[str | None, Candidate]]) -> dict[str, list[Candidate]]:
    grouped: dict[str, list[Candidate]] = {}
    for key, file in pairs:
        if key is not None:
            grouped.setdefault(key, []).append(file)
    return {key: group for key, group in grouped.items() if len(group) > 1}


def _openmp(runtimes: Sequence[Candidate], owners: str) -> DuplicateRecord:
    kinds = sorted({stem(file.path) or Path(file.path).name for file in runtimes})
    why = (
        f"{len(runtimes)} OpenMP runtimes ({owners}) keep a pool of threads each: side by side they can "
        "start more threads than there are processors (OMP_NUM_THREADS, set before they are loaded, limits each)"
    )
    return _record("OpenMP", " and ".join(kinds), runtimes, why)


def _same_name(name: str, group: Sequence[Candidate], owners: str) -> DuplicateRecord:
    if len({file.build_id for file in group}) == 1 and group[0].build_id is not None:
        return _same_contents(name, group)
    why = (
        f"{name} is loaded from {len(group)} paths ({owners}): each copy has memory and settings of its own, "
        "which does no harm as long as nothing made by one is handed to the other"
    )
    return _record("same library", name, group, why)


def _same_contents(name: str, group: Sequence[Candidate]) -> DuplicateRecord:
    why = (
        f"{name} is loaded from {len(group)} paths with the same contents (their build ids are the same): "
        "one copy would do, and what is set in one does not hold in the other"
    )
    return _record("same library", name, group, why)


def _second_copy(candidates: Sequence[Candidate]) -> list[DuplicateRecord]:
    pair = [file for file in candidates if Path(file.path).name.startswith((_SECOND_COPY, _FRAMEWORK))]
    if {Path(file.path).name.partition(".")[0] for file in pair} != {_SECOND_COPY, _FRAMEWORK}:
        return []
    why = (
        "TensorFlow's own: the profiler's plugin holds a second copy of code that is in libtensorflow_framework, "
        "which is why TensorFlow's start-up messages come twice; it is so in every process that imports TensorFlow"
    )
    return [_record("TensorFlow's second copy", _SECOND_COPY, pair, why)]


def _record(kind: str, name: str, group: Sequence[Candidate], why: str) -> DuplicateRecord:
    return {"kind": kind, "name": name, "paths": sorted(file.path for file in group), "why": why}
