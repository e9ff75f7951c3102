"""Find the installed package that a file belongs to."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

_COMPILED = re.compile(r'^"?([^",\n]+\.(?:so|pyd|dll|dylib)(?:\.[^",\n]*)?)"?,', re.MULTILINE)


class Distribution(NamedTuple):
    """An installed package; where several claim the same file, all their names."""

    name: str
    version: str | None


def owner_of(path: str) -> Distribution | None:
    """Return the package of a compiled file below ``sys.path``; Python for its own library, None if unknown."""
    folder = max(
        (entry for entry in sys.path if entry and path.startswith(entry.rstrip(os.sep) + os.sep)),
        default=None,
        key=len,
    )
    if folder is not None:
        real = os.path.realpath(folder)
        with suppress(OSError):
            if (owner := _owners(real, os.stat(real).st_mtime).get(path)) is not None:  # noqa: PTH116 - once a file
                return owner
    return Distribution("Python", sys.version.split()[0]) if _is_python(path) else None


@lru_cache
def _owners(folder: str, _changed_s: float) -> dict[str, Distribution]:
    """Read the file lists (``RECORD``) of a folder: 50 ms for a hundred packages, and again once it changed."""
    claims: dict[str, list[Distribution]] = {}
    for entry in Path(folder).glob("*.dist-info"):
        # Not by metadata.files, which makes an object for each of a package's twenty thousand files.
        try:
            paths = _COMPILED.findall((entry / "RECORD").read_text(encoding="utf-8"))
        except (OSError, UnicodeError):  # none, or damaged
            continue
        if paths:
            package = metadata.Distribution.at(entry)
            owner = Distribution(package.metadata["Name"] or entry.name.partition("-")[0], package.version)
            for path in paths:
                claims.setdefault(os.path.normpath(f"{folder}/{path}"), []).append(owner)
    return {path: _joined(owners) for path, owners in claims.items()}


def _joined(owners: list[Distribution]) -> Distribution:
    versions = sorted({owner.version for owner in owners if owner.version})
    return Distribution(", ".join(sorted({owner.name for owner in owners})), ", ".join(versions) or None)


def _is_python(path: str) -> bool:
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    if any(path.startswith(os.path.realpath(folder) + os.sep) for folder in folders if folder):
        return f"{os.sep}site-packages{os.sep}" not in path
    own = {os.path.realpath(sys.executable)}
    library, folder = sysconfig.get_config_var("LDLIBRARY"), sysconfig.get_config_var("LIBDIR")
    if library and folder:
        own.add(os.path.realpath(os.path.join(folder, library)))  # noqa: PTH118
    return path in own
