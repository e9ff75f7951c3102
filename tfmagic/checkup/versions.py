"""The installed packages that tfmagic works with, and those that bring a TensorFlow."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from typing import TypedDict

PACKAGES = (
    "tfmagic",
    "keras",
    "ai-edge-litert",
    "tf-keras",
    "numpy",
    "protobuf",
    "ipython",
    "ipykernel",
    "jupyter-client",
    "jupyter-server",
    "jupyterlab",
    "notebook",
    "ipywidgets",
    "jupyterlab-widgets",
    "anywidget",
)
"""The packages that a report names, installed or not."""

_TENSORFLOWS = re.compile(
    r"tensorflow(-(cpu|gpu|intel|macos|rocm|aarch64|cpu-aws))?|tf-nightly(-cpu|-gpu)?|intel-tensorflow"
)
_ITS_FILE = "tensorflow/__init__.py,"


class FlavourRecord(TypedDict):
    """An installed package that is a TensorFlow by its name.

    `brings_files` is False for a package that only requires another one, which has the files.
    """

    name: str
    version: str
    folder: str
    brings_files: bool


class InstalledRecord(TypedDict):
    """Versions: of the tfmagic that runs, of Python, of each package that is a TensorFlow, and of `PACKAGES`."""

    tfmagic: str
    python: str
    executable: str
    system: str
    tensorflow: list[FlavourRecord]
    packages: dict[str, str | None]


def versions_record() -> InstalledRecord:
    """Return what is installed, from the packages' metadata; nothing is imported."""
    from tfmagic.version import __version__

    installed = list(metadata.distributions())
    packages: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in reversed(installed):  # the first on the path is imported
        if (name := normal(package.metadata["Name"])) in packages:
            packages[name] = package.version
    return {
        "tfmagic": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "tensorflow": [
            _flavour(package) for package in installed if _TENSORFLOWS.fullmatch(normal(package.metadata["Name"]))
        ],
        "packages": packages,
    }


def _flavour(package: metadata.Distribution) -> FlavourRecord:
    return {
        "name": normal(package.metadata["Name"]),
        "version": package.version,
        "folder": str(package.locate_file("")),
        "brings_files": any(line.startswith(_ITS_FILE) for line in (package.read_text("RECORD") or "").splitlines()),
    }


def normal(name: str | None) -> str:
    """Return a package's name as PyPI compares it: lower case and hyphens; empty for damaged metadata."""
    return re.sub(r"[-_.]+", "-", name or "").lower()
