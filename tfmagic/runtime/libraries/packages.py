"""Which installed package a file belongs to, by the lists that packages are installed with."""

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
    """An installed package; of several that claim the same file, all of the names."""

    name: str
    version: str | None


class Distributions:
    """Which package each compiled file below ``sys.path`` belongs to.

    The lists (``RECORD``) of a folder are read when its first file is asked for: some
    50 ms for a hundred packages, and again only when the folder has changed.
    """

    def __init__(self) -> None:
        self._folders: dict[str, tuple[float, dict[str, Distribution]]] = {}

    def owner(self, path: str) -> Distribution | None:
        """Return the package that brought a file; Python for its own library, None where nobody says."""
        folder = max(
            (one for one in sys.path if one and path.startswith(one.rstrip(os.sep) + os.sep)), default=None, key=len
        )
        if folder is not None and (found := self._files(os.path.realpath(folder)).get(path)) is not None:
            return found
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
        # Not by metadata.files, which makes an object of each of a package's twenty thousand files.
        try:
            paths = _COMPILED.findall((entry / "RECORD").read_text(encoding="utf-8"))
        except (OSError, UnicodeError):  # none, or damaged
            continue
        if paths:
            one = metadata.Distribution.at(entry)
            owner = Distribution(one.metadata["Name"] or entry.name.partition("-")[0], one.version)
            for path in paths:
                claims.setdefault(os.path.normpath(f"{folder}/{path}"), []).append(owner)
    return {path: _joined(owners) for path, owners in claims.items()}


def _joined(owners: list[Distribution]) -> Distribution:
    versions = sorted({one.version for one in owners if one.version})
    return Distribution(", ".join(sorted({one.name for one in owners})), ", ".join(versions) or None)


def _is_python(path: str) -> bool:
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    if any(path.startswith(os.path.realpath(one) + os.sep) for one in standard if one):
        return f"{os.sep}site-packages{os.sep}" not in path
    own = {os.path.realpath(sys.executable)}
    library, folder = sysconfig.get_config_var("LDLIBRARY"), sysconfig.get_config_var("LIBDIR")
    if library and folder:
        own.add(os.path.realpath(os.path.join(folder, library)))  # noqa: PTH118
    return path in own


def distributions() -> Distributions:
    """Return the process's knowledge of who owns which file."""
    return once("distributions", Distributions)
