"""Paths of models: whether they are there, what they are, whether they changed."""

from __future__ import annotations

import re
from pathlib import Path

from tfmagic.errors import MissingPathError, SourceError, did_you_mean, near_to

_REMOTE = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_FEW = 8


def local(text: str) -> Path:
    """Return the path that `text` names on this machine.

    Raises
    ------
    SourceError
        For ``gs://``, ``hf://`` and the like.
    """
    remote = _REMOTE.match(text)
    if remote is not None and remote["scheme"].lower() != "file":
        msg = f"{text} is not on this machine: download it first, and give the path of the copy"
        raise SourceError(msg)
    path = Path(text[len("file://") :] if remote is not None else text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path  # ~somebody whom this machine does not know: there is nothing at such a path


def whole(path: Path) -> Path:
    """Return a path as an absolute one without ``..``, so that it means the same after a change of directory.

    What comes before a ``..`` may be a link: the operating system goes up from where it
    leads, and TensorFlow would take the name away. Links behind it stay as they are.
    """
    there = path.absolute()
    if ".." not in there.parts:
        return there
    behind = len(there.parts) - there.parts[::-1].index("..")
    try:
        return Path(*there.parts[:behind]).resolve(strict=True).joinpath(*there.parts[behind:])
    except (OSError, RuntimeError):
        return there  # there is nothing, or a circle of links


def is_remote(text: str) -> bool:
    """Return whether `text` names something on another machine."""
    remote = _REMOTE.match(text)
    return remote is not None and remote["scheme"].lower() != "file"


def the_path(path: Path) -> Path:
    """Return `path` if there is something at it.

    Raises
    ------
    MissingPathError
        When there is not; the part of the path that does exist is named.
    """
    try:
        if path.exists():
            return path
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise MissingPathError(msg) from None
    msg = f"there is nothing at {path}{near(path) or _as_far_as_it_is_there(path.absolute())}"
    raise MissingPathError(msg)


def near(path: Path) -> str:
    """Return `` (did you mean 'x'?)`` for what is called most alike beside a path where nothing is.

    Where nothing is, and the folder was named and has little in it, that is listed.
    """
    try:
        beside = [one.name for one in path.parent.iterdir() if not one.name.startswith(".")]
    except OSError:
        return ""
    is_named = path.parent != Path()
    return did_you_mean(path.name, beside) if is_named and len(beside) <= _FEW else near_to(path.name, beside)


def _as_far_as_it_is_there(path: Path) -> str:
    there = next((parent for parent in path.parents if parent.exists()), None)
    return "" if there is None else f" ({there} is there, {path.relative_to(there)} in it is not)"


def stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size in bytes and time of change in ns of a file, or of all below a folder."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    found = []
    for file in files:
        status = file.stat()
        found.append((str(file.relative_to(path)), status.st_size, status.st_mtime_ns))
    return tuple(found)


def disk_bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    return sum(size for _, size, _ in stamp(path))
