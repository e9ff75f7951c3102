"""Paths of models: whether they are there, what they are, whether they changed."""

from __future__ import annotations

import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.errors import MissingPathError, SourceError, did_you_mean, nearest_word

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_REMOTE = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_FEW = 8
_SHARD = re.compile(r"\.data-\d+-of-\d+$")
# What is larger is not read to find out whether it has changed.
_READ_BYTES = 256_000_000
_CHUNK_BYTES = 1 << 20


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


def existing_path(path: Path) -> Path:
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
    return did_you_mean(path.name, beside) if is_named and len(beside) <= _FEW else nearest_word(path.name, beside)


def _as_far_as_it_is_there(path: Path) -> str:
    there = next((parent for parent in path.parents if parent.exists()), None)
    return "" if there is None else f" ({there} is there, {path.relative_to(there)} in it is not)"


@dataclass(frozen=True)
class FileStamp:
    """What tells whether a file has changed.

    Attributes
    ----------
    path
        Where it is.
    name
        Its name below the folder that was asked about.
    size_bytes, changed_ns
        Its size and its time of change.
    content
        What tells its content: another file of the same size can have been given the same time.
    """

    path: Path = field(compare=False)
    name: str
    size_bytes: int
    changed_ns: int
    content: object

    def has_other_content(self) -> bool:
        """Return whether there is other content at the path by now, whatever its time; one that is gone has none."""
        try:
            now = _stamp_of(self.path, self.name)
        except OSError:
            return False
        return (now.size_bytes, now.content) != (self.size_bytes, self.content)


def stamp(path: Path) -> tuple[FileStamp, ...]:
    """Return what tells whether a file, or any file below a folder, has changed."""
    return tuple(_stamp_of(file, str(file.relative_to(path))) for file in _files(path))


def stamps_in(fingerprint: object) -> Iterator[FileStamp]:
    """Give the stamps of files that are part of a fingerprint."""
    if isinstance(fingerprint, FileStamp):
        yield fingerprint
    elif isinstance(fingerprint, tuple):
        for part in fingerprint:
            yield from stamps_in(part)


def _stamp_of(file: Path, name: str) -> FileStamp:
    status = file.stat()
    return FileStamp(file, name, status.st_size, status.st_mtime_ns, _content(file, status))


def disk_bytes(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _content(file: Path, status: os.stat_result) -> object:
    """Return what tells the content of a file, as far as that takes a few hundredths of a second."""
    shard = _SHARD.search(file.name)
    if shard is not None and file.with_name(f"{file.name[: shard.start()]}.index").is_file():
        # The index of a checkpoint has a checksum of each value.
        return None
    if file.suffix == ".keras":
        with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
            return tuple((one.filename, one.CRC) for one in archive.infolist())
    if status.st_size <= _READ_BYTES:
        # What cannot be read is for the build to say.
        with suppress(OSError), file.open("rb") as opened:
            number = 0
            while part := opened.read(_CHUNK_BYTES):
                number = zlib.crc32(part, number)
            return number
    # Also what was only moved away and back counts as another: the one cannot be told from the other.
    return status.st_ino, status.st_ctime_ns
