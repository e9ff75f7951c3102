"""Paths of models: whether they exist, how large they are, and whether they changed."""

from __future__ import annotations

import re
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.errors import MissingPathError, SourceError, TfMagicError, did_you_mean, nearest_word

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_SCHEME = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_FEW = 8
_MOST_SHOWN = 200
_SHARD = re.compile(r"\.data-\d+-of-\d+$")
# A larger file is not read to find out whether it has changed.
_READ_BYTES = 256_000_000
_CHUNK_BYTES = 1 << 20


def local_path(text: str) -> Path:
    """Return the path that `text` names on this machine; SourceError for ``gs://``, ``hf://`` and the like."""
    if is_remote(text):
        msg = f"{text} is not on this machine: download it first, and give the path of the copy"
        raise SourceError(msg)
    path = Path(text[len("file://") :] if _SCHEME.match(text) else text)
    try:
        return path.expanduser()
    except RuntimeError:
        return path  # ~somebody who is unknown here: such a path does not exist


def working_folder() -> Path:
    """Return the folder that paths begin at; MissingPathError where it has been removed meanwhile."""
    try:
        return Path.cwd()
    except OSError:
        msg = "the working folder has been removed: change to one that is there (%cd ~), or give a whole path (/…)"
        raise MissingPathError(msg) from None


def absolute_path(path: Path) -> Path:
    """Return a path without ``..`` that means the same after a change of directory; later links stay as they are.

    The operating system goes up from a link's target; TensorFlow would only remove its name.
    """
    absolute = working_folder() / path if not path.is_absolute() else path
    if ".." not in absolute.parts:
        return absolute
    after = len(absolute.parts) - absolute.parts[::-1].index("..")
    try:
        return Path(*absolute.parts[:after]).resolve(strict=True).joinpath(*absolute.parts[after:])
    except (OSError, RuntimeError):
        return absolute  # it does not exist, or links form a circle


def is_remote(text: str) -> bool:
    """Return whether `text` names something on another machine."""
    url = _SCHEME.match(text)
    return url is not None and url["scheme"].lower() != "file"


@contextmanager
def looking_at(path: Path) -> Iterator[None]:
    """Turn what the system says of a path into a `SourceError` of one line that names it."""
    try:
        yield
    except OSError as error:
        if isinstance(error, TfMagicError):
            raise
        text = str(path)
        shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
        msg = f"{shown} cannot be read: {error.strerror or error}"
        raise SourceError(msg) from error


def existing_path(path: Path) -> Path:
    """Return `path` if something is there; the error for a missing one names the part of it that exists."""
    try:
        if path.exists():
            return path
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise MissingPathError(msg) from None
    hint, absolute = similar_name(path), path if path.is_absolute() else working_folder() / path
    if path.is_symlink():
        hint = f" (it is a link to {path.readlink()}, where nothing is)"
    parent = next((parent for parent in absolute.parents if parent.exists()), None)
    if not hint and parent is not None:
        hint = f" ({parent} is there, {absolute.relative_to(parent)} in it is not)"
    msg = f"there is nothing at {path}{hint}"
    raise MissingPathError(msg)


def similar_name(path: Path) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest name beside a missing path, else what is in a small folder."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return ""
    lists_folder = path.parent != Path() and len(names) <= _FEW
    return did_you_mean(path.name, names) if lists_folder else nearest_word(path.name, names)


@dataclass(frozen=True)
class FileStamp:
    """Tells whether a file, named from the folder that was stamped, has changed.

    `content` is a checksum or the like: another file of the same size can have the same time.
    """

    path: Path = field(compare=False)
    name: str
    size_bytes: int
    changed_ns: int
    content: object

    def has_other_content(self) -> bool:
        """Return whether the content at the path is another by now, whatever its time; a missing file has none."""
        try:
            now = _stamp_of(self.path, self.name)
        except OSError:
            return False
        return (now.size_bytes, now.content) != (self.size_bytes, self.content)


def stamp(path: Path) -> tuple[FileStamp, ...]:
    """Return the stamp of a file, or of each file below a folder."""
    return tuple(_stamp_of(file, str(file.relative_to(path))) for file in _files(path))


def stamps_in(fingerprint: object) -> Iterator[FileStamp]:
    """Yield the file stamps in a fingerprint."""
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
    """Return what identifies a file's content, as far as a few hundredths of a second allow."""
    shard = _SHARD.search(file.name)
    if shard is not None and file.with_name(f"{file.name[: shard.start()]}.index").is_file():
        # Its index has a checksum of each value.
        return None
    if file.suffix == ".keras":
        with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
            return tuple((entry.filename, entry.CRC) for entry in archive.infolist())
    if status.st_size <= _READ_BYTES:
        # The build reports a file that cannot be read.
        with suppress(OSError), file.open("rb") as opened:
            checksum, left = 0, status.st_size
            # No further: what grows while it is read may have no end.
            while left > 0 and (part := opened.read(min(_CHUNK_BYTES, left))):
                checksum = zlib.crc32(part, checksum)
                left -= len(part)
            return checksum
    # A file that was only moved away and back counts as changed: nothing tells the two apart.
    return status.st_ino, status.st_ctime_ns
