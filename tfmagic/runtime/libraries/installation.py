"""The TensorFlow that is installed, and what to type for one that uses a GPU."""

from __future__ import annotations

import importlib.util
import platform
import re
import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = re.compile(r"(intel[-_])?tensorflow([-_].*)?|tf[-_]nightly([-_].*)?", re.IGNORECASE)
_ITS_FILE = "tensorflow/__init__.py,"


class Installed(NamedTuple):
    """The package that has brought TensorFlow's files: its name, its version, and the program that installed it."""

    name: str
    version: str
    installer: str


def installed_tensorflow(folder: Path | None) -> Installed | None:
    """Return the package of the TensorFlow in a folder; None for none, or one that was built there."""
    if folder is None:
        return None
    for package in metadata.distributions(path=[str(folder.parent)]):
        name = package.metadata["Name"] or ""
        if _NAMES.fullmatch(name) and f"\n{_ITS_FILE}" in f"\n{package.read_text('RECORD') or ''}":
            installer = (package.read_text("INSTALLER") or "").strip()
            return Installed(re.sub(r"[-_.]+", "-", name).lower(), package.version, installer)
    return None


def has_cuda_wheels() -> bool:
    """Return whether there are packages of TensorFlow with CUDA for this platform."""
    return sys.platform == "linux" and platform.machine() in {"x86_64", "AMD64"}


def lines_for_cuda(installed: Installed | None) -> list[str]:
    """Return what to type in a terminal for a TensorFlow with CUDA and its libraries, in the version that is here.

    TensorFlow's own package is named, not tfmagic's extra: so it is right for a clone, too.
    """
    if not has_cuda_wheels():
        return []
    if installed is not None and installed.installer == "conda":
        return [f"conda install 'tensorflow={installed.version}=cuda*'"]
    python = shlex.quote(sys.executable)
    pip, yes, into = f"{python} -m pip", " --yes", ""
    if importlib.util.find_spec("pip") is None:
        pip, yes, into = "uv pip", "", f" --python {python}"
    if installed is None:
        return [f"{pip} install{into} 'tensorflow[and-cuda]'"]
    wanted = "tf-nightly" if installed.name.startswith("tf-nightly") else "tensorflow"
    lines = [f"{pip} install{into} '{wanted}[and-cuda]=={installed.version}'"]
    if installed.name != wanted:
        # The two have the same files: whichever is removed later would take the other's.
        lines.insert(0, f"{pip} uninstall{yes}{into} {installed.name}")
    return lines
