"""The installed packages that tfmagic works with, those that bring a TensorFlow, and what their requirements lack."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# Besides TensorFlow, the packages whose requirements are checked.
_CHECKED = ("tfmagic", "keras", "ipywidgets", "anywidget", "jupyterlab")


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


class UnmetRecord(TypedDict):
    """A requirement, such as ``numpy>=1.26``, of a package and its version; `found` is None where it is missing."""

    package: str
    version: str
    asks_for: str
    found: str | None


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


def unmet_requirements() -> list[UnmetRecord] | None:
    """Return the unmet requirements; None without ``packaging``, which parses them."""
    try:
        import packaging.requirements  # noqa: F401 - is it installed?
    except ImportError:
        return None
    flavours = [flavour["name"] for flavour in versions_record()["tensorflow"]]
    return [unmet for name in (*flavours, *_CHECKED) for unmet in _unmet(name)]


def _unmet(name: str) -> Iterator[UnmetRecord]:
    from packaging.requirements import InvalidRequirement, Requirement

    asking = next(iter(metadata.distributions(name=name)), None)
    if asking is None:
        return
    for text in asking.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = next((package.version for package in metadata.distributions(name=wanted.name)), None)
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            yield {
                "package": name,
                "version": asking.version,
                "asks_for": f"{normal(wanted.name)}{wanted.specifier}",
                "found": found,
            }
