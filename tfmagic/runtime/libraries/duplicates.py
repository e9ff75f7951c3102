"""What a process has loaded twice under one name or another, each with a sentence that says what it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_OPENMP = re.compile(r"(libgomp|libiomp5(?:md)?|libomp(?:140)?|vcomp\d+)\b")
# Wheels carry copies under names of their own: libgomp-a34b3233.so.1.0.0.
_OF_A_WHEEL = re.compile(r"(?:-[0-9a-f]{8})+$")
_SUFFIX = re.compile(r"(?:(?:\.\d+)*\.so(?:\.\d+)*|(?:\.\d+)*\.dylib|\.dll)$")
_EXTENSION_MODULE = re.compile(r"\.(?:cpython-|abi3\.|pyd$)")
_SECOND_COPY = "_pywrap_profiler_plugin"
_FRAMEWORK = "libtensorflow_framework"


class DuplicateRecord(TypedDict):
    """Something that is there more than once.

    Attributes
    ----------
    kind
        ``same library``, ``OpenMP``, ``TensorFlow's second copy`` or ``operation``.
    name
        What is there more than once.
    paths
        Where it comes from, each.
    why
        One sentence: what it means.
    """

    kind: str
    name: str
    paths: list[str]
    why: str


class Candidate(NamedTuple):
    """A loaded file, and what tells it from another.

    Attributes
    ----------
    path
        With every link followed.
    build_id
        The linker's fingerprint of its contents; None where it has none.
    """

    path: str
    build_id: str | None


def stem(path: str) -> str | None:
    """Return a library's name without its version and a wheel's mark; None for an extension module of Python.

    Extension modules are told apart by their package: every second package has a ``_utils``.
    """
    name = Path(path).name
    if _EXTENSION_MODULE.search(name) or not _SUFFIX.search(name):
        return None
    bare = _OF_A_WHEEL.sub("", _SUFFIX.sub("", name))
    return bare if bare.startswith(("lib", "vcomp")) else None


def duplicates(loaded: Iterable[Candidate], owner: Callable[[str], str | None]) -> list[DuplicateRecord]:
    """Return what is there more than once.

    Parameters
    ----------
    loaded
        What is loaded.
    owner
        Gives the package that a path belongs to; asked only for what is there twice.
    """

    def by_whom(group: Sequence[Candidate]) -> str:
        return ", ".join(sorted(owner(one.path) or str(Path(one.path).parent) for one in group))

    candidates = list({one.path: one for one in loaded}.values())
    openmp = [one for one in candidates if _OPENMP.match(Path(one.path).name)]
    found = _openmp(openmp, by_whom(openmp)) if len(openmp) > 1 else []
    by_name = _groups((stem(one.path), one) for one in candidates if one not in openmp)
    found += [_named_alike(name, group, by_whom(group)) for name, group in by_name.items()]
    told = {one.path for group in by_name.values() for one in group}
    by_contents = _groups((one.build_id, one) for one in candidates if one not in openmp and one.path not in told)
    found += [_alike(Path(group[0].path).name, group) for group in by_contents.values()]
    return found + _second_copy(candidates)


def _groups(pairs: Iterable[tuple[str | None, Candidate]]) -> dict[str, list[Candidate]]:
    grouped: dict[str, list[Candidate]] = {}
    for key, one in pairs:
        if key is not None:
            grouped.setdefault(key, []).append(one)
    return {key: group for key, group in grouped.items() if len(group) > 1}


def _openmp(runtimes: Sequence[Candidate], by_whom: str) -> list[DuplicateRecord]:
    kinds = sorted({stem(one.path) or Path(one.path).name for one in runtimes})
    why = (
        f"{len(runtimes)} OpenMP runtimes ({by_whom}) keep a pool of threads each: side by side they can "
        "start more threads than there are processors (OMP_NUM_THREADS, set before they are loaded, limits each)"
    )
    return [_record("OpenMP", " and ".join(kinds), runtimes, why)]


def _named_alike(name: str, group: Sequence[Candidate], by_whom: str) -> DuplicateRecord:
    if len({one.build_id for one in group}) == 1 and group[0].build_id is not None:
        return _alike(name, group)
    why = (
        f"{name} is loaded from {len(group)} paths ({by_whom}): each copy has memory and settings of its own, "
        "which does no harm as long as nothing made by one is handed to the other"
    )
    return _record("same library", name, group, why)


def _alike(name: str, group: Sequence[Candidate]) -> DuplicateRecord:
    why = (
        f"{name} is loaded from {len(group)} paths with the same contents (their build ids are the same): "
        "one copy would do, and what is set in one does not hold in the other"
    )
    return _record("same library", name, group, why)


def _second_copy(candidates: Sequence[Candidate]) -> list[DuplicateRecord]:
    pair = [one for one in candidates if Path(one.path).name.startswith((_SECOND_COPY, _FRAMEWORK))]
    names = {Path(one.path).name.partition(".")[0] for one in pair}
    if names != {_SECOND_COPY, _FRAMEWORK}:
        return []
    why = (
        "TensorFlow's own: the profiler's plugin holds a second copy of code that is in libtensorflow_framework, "
        "which is why TensorFlow's start-up messages come twice; it is so in every process that imports TensorFlow"
    )
    return [_record("TensorFlow's second copy", _SECOND_COPY, pair, why)]


def _record(kind: str, name: str, group: Sequence[Candidate], why: str) -> DuplicateRecord:
    return {"kind": kind, "name": name, "paths": sorted(one.path for one in group), "why": why}
