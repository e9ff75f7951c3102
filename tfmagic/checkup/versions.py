"""What is installed: the packages that tfmagic works with, and which of them bring a TensorFlow."""

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
"""Those that a report names, whether they are there or not."""

_TENSORFLOWS = re.compile(
    r"tensorflow(-(cpu|gpu|intel|macos|rocm|aarch64|cpu-aws))?|tf-nightly(-cpu|-gpu)?|intel-tensorflow"
)
_ITS_FILE = "tensorflow/__init__.py,"


class FlavourRecord(TypedDict):
    """An installed package that is a TensorFlow by its name.

    Attributes
    ----------
    name, version
        As it was installed.
    folder
        Where.
    brings_files
        Whether the files are its own; some only ask for another package, which has them.
    """

    name: str
    version: str
    folder: str
    brings_files: bool


class InstalledRecord(TypedDict):
    """What is installed.

    Attributes
    ----------
    tfmagic
        The version of the code that is running.
    python, executable, system
        The Python, its path, and what it runs on.
    tensorflow
        Every package that is a TensorFlow.
    packages
        Version by name; None for what is not installed.
    """

    tfmagic: str
    python: str
    executable: str
    system: str
    tensorflow: list[FlavourRecord]
    packages: dict[str, str | None]


def versions_record() -> InstalledRecord:
    """Return what is installed, by the packages' own notes; nothing is imported."""
    from tfmagic.version import __version__

    found = list(metadata.distributions())
    packages: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for one in reversed(found):  # the first on the path is the one that is imported
        if (name := normal(one.metadata["Name"])) in packages:
            packages[name] = one.version
    return {
        "tfmagic": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "tensorflow": [_flavour(one) for one in found if _TENSORFLOWS.fullmatch(normal(one.metadata["Name"]))],
        "packages": packages,
    }


def _flavour(one: metadata.Distribution) -> FlavourRecord:
    return {
        "name": normal(one.metadata["Name"]),
        "version": one.version,
        "folder": str(one.locate_file("")),
        "brings_files": any(line.startswith(_ITS_FILE) for line in (one.read_text("RECORD") or "").splitlines()),
    }


def normal(name: str | None) -> str:
    """Return a package's name as PyPI compares it: small letters and hyphens; a damaged one has none."""
    return re.sub(r"[-_.]+", "-", name or "").lower()
