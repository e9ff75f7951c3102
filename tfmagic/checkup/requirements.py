"""Requirements of TensorFlow and tfmagic that are missing or of an unsuitable version."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, TypedDict

from tfmagic.checkup.versions import normal, versions_record

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASKING = ("tfmagic", "keras", "ipywidgets", "anywidget", "jupyterlab")


class UnmetRecord(TypedDict):
    """A requirement, such as ``numpy>=1.26``, of a package and its version; `found` is None where it is missing."""

    package: str
    version: str
    asks_for: str
    found: str | None


def unmet_requirements() -> list[UnmetRecord] | None:
    """Return the unmet requirements; None without ``packaging``, which parses them."""
    try:
        import packaging.requirements  # noqa: F401 - is it installed?
    except ImportError:
        return None
    flavours = [flavour["name"] for flavour in versions_record()["tensorflow"]]
    return [unmet for name in (*flavours, *_ASKING) for unmet in _unmet(name)]


def _unmet(name: str) -> Iterator[UnmetRecord]:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        asking = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    for text in asking.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        if found is None or not wanted.specifier.contains(found, prereleases=True):
            yield {
                "package": name,
                "version": asking.version,
                "asks_for": f"{normal(wanted.name)}{wanted.specifier}",
                "found": found,
            }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
