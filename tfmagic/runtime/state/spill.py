"""The values of a parked graph on disk: written whole or not at all, and checked when they are read.

Blocks of bytes, each beginning at a multiple of 64, then a directory as JSON, then
a tail that says where the directory is and what its checksum must be. A file
without that tail was torn off and is not read.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypedDict

import numpy as np
import tensorflow as tf

from tfmagic.concurrency.workers import workers
from tfmagic.errors import ParkError
from tfmagic.runtime.memory.aligned import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TAIL = struct.Struct("<QQII")  # where the directory is, how long, its checksum, the mark
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
    """Named arrays in a file.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, values: Iterable[tuple[str, np.ndarray]]) -> int:
        """Write the arrays, consumed one by one, and return how many bytes that took.

        They go into a file beside this one, which takes its name once everything is
        on the disk.

        Raises
        ------
        ParkError
            When they cannot be written; nothing is left behind, and a former file is as it was.
        """
        beside = self.path.with_name(f"{self.path.name}.part")
        try:
            with beside.open("wb") as file:
                beside.chmod(0o600)
                entries = [_written(file, name, value) for name, value in values]
                directory = json.dumps(entries).encode()
                at = file.tell()
                file.write(directory)
                file.write(_TAIL.pack(at, len(directory), zlib.crc32(directory), _MARK))
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            _remove(beside)
            msg = f"{self.path.parent} cannot be written to ({error.strerror or error})"
            raise ParkError(msg) from error
        except BaseException:
            _remove(beside)
            raise
        return size

    def read(self) -> Iterator[tuple[str, np.ndarray]]:
        """Give the arrays, each in memory of its own that nobody else has.

        Raises
        ------
        ParkError
            When the file is gone, torn, or not what was written.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                for entry in self._directory(file):
                    yield entry["name"], self._array(file, entry)
        except OSError as error:
            if isinstance(error, ParkError):
                raise
            msg = (
                f"{self.path}, where the values of a parked model were, cannot be read ({error.strerror or error}): "
                "put it back, or drop the model and add it again"
            )
            raise ParkError(msg) from error

    def remove(self) -> None:
        """Remove the file; none there is no error, nor one that cannot be: it goes with its folder."""
        _remove(self.path)

    def remove_apart(self) -> None:
        """Take the file's name from it at once, and remove it in a thread: a large one takes a while to go."""
        going = self.path.with_name(f"{self.path.name}.gone")
        try:
            self.path.replace(going)
        except OSError:
            self.remove()
        else:
            workers().submit(partial(_remove, going))

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
            return _text(buffer.tobytes(), entry["lengths"], entry["shape"])
        array: np.ndarray = buffer.view(tf.as_dtype(entry["dtype"]).as_numpy_dtype).reshape(entry["shape"])
        return array

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self.path} is damaged: {why}"
        raise ParkError(msg)


def _written(file: BinaryIO, name: str, value: Any) -> _Entry:
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


def _text(data: bytes, lengths: list[int], shape: list[int]) -> np.ndarray:
    array = np.empty(len(lengths), object)
    at = 0
    for index, length in enumerate(lengths):
        array[index] = data[at : at + length]
        at += length
    return array.reshape(shape)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the new name itself on the disk, where folders can be synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
