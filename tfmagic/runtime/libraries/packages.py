"""Find the installed package that a file belongs to."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tfmagic.core.process import once

_COMPILED = re.compile(r'^"?([^",\n]+\.(?:so|pyd|dll|dylib)(?:\.[^",\n]*)?)"?,', re.MULTILINE)


class Distribution(NamedTuple):
    """An installed package; where several claim the same file, all their names."""

    name: str
    version: str | None


class Distributions:
    """The package of each compiled file below ``sys.path``.

    The file lists (``RECORD``) in a folder are read when its first file is asked for: some 50 ms for a hundred
    packages, and again only when the folder has changed.
    """

    def __init__(self) -> None:
        self._folders: dict[str, tuple[float, dict[str, Distribution]]] = {}

    def owner(self, path: str) -> Distribution | None:
        """Return the package of a file; Python for its own library, None if unknown."""
        folder = max(
            (entry for entry in sys.path if entry and path.startswith(entry.rstrip(os.sep) + os.sep)),
            default=None,
            key=len,
        )
        if folder is not None and (owner := self._files(os.path.realpath(folder)).get(path)) is not None:
            return owner
        return Distribution("Python", sys.version.split()[0]) if _is_python(path) else None

    def _files(self, folder: str) -> dict[str, Distribution]:
        try:
            changed = os.stat(folder).st_mtime  # noqa: PTH116 - once a file
        except OSError:
            return {}
        if folder not in self._folders or self._folders[folder][0] != changed:
            self._folders[folder] = (changed, _read(folder))
        return self._folders[folder][1]


def _read(folder: str) -> dict[str, Distribution]:
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


def distributions() -> Distributions:
    """Return the process's `Distributions`."""
    return once("distributions", Distributions)
