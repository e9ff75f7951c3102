"""The values of a parked graph on disk: written completely or not at all, and checked when they are read.

The file has the arrays' bytes, a directory as JSON, and a tail with the directory's place and checksum. Without that
tail it is incomplete and is not read.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from contextlib import suppress
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypedDict

import numpy as np
import tensorflow as tf

from tfmagic.concurrency.workers import workers
from tfmagic.errors import ParkError
from tfmagic.runtime.memory.fed_arrays import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TAIL = struct.Struct("<QQII")  # the directory's offset, length and checksum, and the mark
_MARK = 0x7F3A61D2
# Small enough to be in the processor's cache still when its checksum is taken.
_CHUNK_BYTES = 1 << 21


class _Entry(TypedDict):
    name: str
    dtype: str
    shape: list[int]
    lengths: list[int] | None  # of text: of each element
    offset: int
    nbytes: int
    crc32: int


class Spill:
    """Named arrays in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, values: Iterable[tuple[str, np.ndarray]]) -> int:
        """Write the arrays, consumed one by one, and return how many bytes that took.

        They go into a file beside this one, which gets this name once it is complete on disk. On a `ParkError`
        that file is removed, and an earlier spill stays as it was.
        """
        part = self.path.with_name(f"{self.path.name}.part")
        try:
            with part.open("wb") as file:
                part.chmod(0o600)
                entries = [_write_array(file, name, value) for name, value in values]
                directory = json.dumps(entries).encode()
                at = file.tell()
                file.write(directory)
                file.write(_TAIL.pack(at, len(directory), zlib.crc32(directory), _MARK))
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            _remove(part)
            msg = f"{self.path.parent} cannot be written to ({error.strerror or error})"
            raise ParkError(msg) from error
        except BaseException:
            _remove(part)
            raise
        return size

    def read(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the arrays, each in memory of its own; `ParkError` if the file is missing or damaged."""
        try:
            with self.path.open("rb", buffering=0) as file:
                for entry in self._directory(file):
                    yield entry["name"], self._array(file, entry)
        except ParkError:
            raise
        except OSError as error:
            msg = (
                f"{self.path}, where the values of a parked model were, cannot be read ({error.strerror or error}): "
                "put it back, or drop the model and add it again"
            )
            raise ParkError(msg) from error

    def remove(self) -> None:
        """Remove the file if it can be; otherwise its folder is removed later."""
        _remove(self.path)

    def remove_in_background(self) -> None:
        """Rename the file at once, and remove it in a thread: deleting a large file takes a while."""
        doomed = self.path.with_name(f"{self.path.name}.gone")
        try:
            self.path.replace(doomed)
        except OSError:
            self.remove()
        else:
            workers().submit(partial(_remove, doomed))

    def _directory(self, file: BinaryIO) -> list[_Entry]:
        size = file.seek(0, os.SEEK_END)
        if size < _TAIL.size:
            self._refuse("it is not whole")
        file.seek(size - _TAIL.size)
        at, length, crc32, mark = _TAIL.unpack(file.read(_TAIL.size))
        if mark != _MARK or at + length + _TAIL.size != size:
            self._refuse("it is not whole")
        file.seek(at)
        directory = file.read(length)
        if zlib.crc32(directory) != crc32:
            self._refuse("its directory is not what was written")
        entries: list[_Entry] = json.loads(directory)
        return entries

    def _array(self, file: BinaryIO, entry: _Entry) -> np.ndarray:
        buffer = aligned(entry["nbytes"])
        file.seek(entry["offset"])
        view = memoryview(buffer.data)
        crc32 = done = 0
        while done < len(view):
            count = file.readinto(view[done : done + _CHUNK_BYTES])  # type: ignore[attr-defined]  # raw files have it
            if not count:
                self._refuse("it is not whole")
            crc32 = zlib.crc32(view[done : done + count], crc32)
            done += count
        if crc32 != entry["crc32"]:
            self._refuse(f"{entry['name']} is not what was written")
        if entry["lengths"] is not None:
            text, ends = buffer.tobytes(), accumulate(entry["lengths"])
            parts = [text[end - length : end] for length, end in zip(entry["lengths"], ends, strict=True)]
            return np.array(parts, object).reshape(entry["shape"])
        array: np.ndarray = buffer.view(tf.as_dtype(entry["dtype"]).as_numpy_dtype).reshape(entry["shape"])
        return array

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self.path} is damaged: {why}"
        raise ParkError(msg)


def _write_array(file: BinaryIO, name: str, value: Any) -> _Entry:
    array = np.asarray(value)
    lengths: list[int] | None = None
    if array.dtype.kind in "OSU":
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in array.reshape(-1)]
        lengths = [len(part) for part in parts]
        data = memoryview(b"".join(parts))
        dtype = "string"
    else:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else memoryview(b"")
        dtype = tf.as_dtype(array.dtype).name
    offset = file.tell()
    crc32 = 0
    for start in range(0, len(data), _CHUNK_BYTES):
        chunk = data[start : start + _CHUNK_BYTES]
        crc32 = zlib.crc32(chunk, crc32)
        file.write(chunk)
    return {
        "name": name,
        "dtype": dtype,
        "shape": list(array.shape),
        "lengths": lengths,
        "offset": offset,
        "nbytes": len(data),
        "crc32": crc32,
    }


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write the new name itself to the disk, on systems that can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
