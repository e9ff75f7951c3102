"""The parts of a ``.keras`` or ``.h5`` file: its configuration, and its weights read in place."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import h5py

from tfmagic.core.regular_files import regular_file
from tfmagic.errors import SourceError
from tfmagic.formats.common.wrong_file import what_it_is
from tfmagic.formats.keras.contents import check_archive, check_weights, description
from tfmagic.formats.keras.heaps import check_heaps
from tfmagic.formats.keras.private import WEIGHTS, load_weights, model_from_legacy_config, sharing_objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

_LOCAL_HEADER = 30


@dataclass(frozen=True)
class ZippedArchive:
    """A ``.keras`` file: a zip file with a configuration and an HDF5 file of weights."""

    path: Path

    def config(self) -> Any:
        """Return the model's configuration (``config.json``) without what a compiled model was trained with."""
        with zipfile.ZipFile(self.path) as archive:
            check_archive(self.path, archive)
            names = set(archive.namelist())
            if "config.json" not in names or WEIGHTS not in names:
                msg = f"{self.path} is no Keras model: it has no config.json with {WEIGHTS} in it"
                if (what := what_it_is(self.path)) is not None:
                    msg = f"{msg}; it is {what}"
                raise SourceError(msg)
            config = json.loads(description(self.path, archive, "config.json"))
        config["compile_config"] = None
        return config

    def version(self) -> str:
        """Return the version of Keras that wrote the file, as ``metadata.json`` says; empty where it does not."""
        with zipfile.ZipFile(self.path) as archive:
            has = "metadata.json" in archive.namelist()
            known = json.loads(description(self.path, archive, "metadata.json")) if has else {}
        return str(known.get("keras_version", ""))

    def skeleton(self, config: Any, objects: Mapping[str, Any], *, safe: bool) -> Any:
        """Return the uncompiled model of a configuration; the weights that it makes belong to the caller's scope."""
        import keras

        with sharing_objects():
            return keras.saving.deserialize_keras_object(config, custom_objects=dict(objects), safe_mode=safe)

    def check_weights(self, variables: Sequence[Any], *, whole: bool) -> None:
        """Refuse a file whose weights do not fit the variables of its model, or a part of them."""
        with (
            self.path.open("rb") as file,
            zipfile.ZipFile(file) as archive,
            _InPlace(file, archive).open(WEIGHTS) as weights,
        ):
            check_weights(self.path, weights, variables, whole=whole)

    def load_into(self, model: Any) -> None:
        """Assign each variable its value, read where it is in the zip file."""
        with self.path.open("rb") as file, zipfile.ZipFile(file) as archive:
            load_weights(model, self.path, _InPlace(file, archive))

    @property
    def has_assets(self) -> bool:
        """Whether layers have files of their own in it, such as vocabularies."""
        with zipfile.ZipFile(self.path) as archive:
            return any(name.startswith("assets/") and not name.endswith("/") for name in archive.namelist())

    def named_for_keras(self) -> AbstractContextManager[str]:
        """Give a path of the file that ends as Keras wants it."""
        return _ending_in(self.path, ".keras")


@dataclass(frozen=True)
class HdfArchive:
    """An ``.h5`` file of a whole model, as Keras 2 and ``model.save("x.h5")`` write it."""

    path: Path
    has_assets = False

    def config(self) -> Any:
        """Return the ``model_config`` attribute."""
        with h5py.File(self.path, "r") as file:
            config = file.attrs.get("model_config")
        if config is None:
            msg = (
                f"{self.path} holds no model, perhaps only its weights: build the model in a cell, "
                "load them with model.load_weights(…), and add the object"
            )
            raise SourceError(msg)
        return json.loads(config)

    def version(self) -> str:
        """Return the ``keras_version`` attribute."""
        with h5py.File(self.path, "r") as file:
            return str(file.attrs.get("keras_version", ""))

    def skeleton(self, config: Any, objects: Mapping[str, Any], *, safe: bool) -> Any:
        """Return the uncompiled model of a configuration; the weights that it makes belong to the caller's scope."""
        import keras

        model = model_from_legacy_config(config, objects, safe=safe)
        if model is not None:
            return model
        with self.named_for_keras() as path:
            return keras.models.load_model(path, custom_objects=dict(objects), compile=False, safe_mode=safe)

    def check_weights(self, variables: Sequence[Any], *, whole: bool) -> None:
        """Refuse a file whose weights do not fit the variables of its model, or a part of them."""
        check_weights(self.path, self.path, variables, whole=whole)

    def load_into(self, model: Any) -> None:
        """Have Keras read the weights, a layer at a time."""
        with self.named_for_keras() as path:
            model.load_weights(path)

    def named_for_keras(self) -> AbstractContextManager[str]:
        """Give a path of the file that ends as Keras wants it."""
        return _ending_in(self.path, ".h5", ".hdf5")


KerasArchive = ZippedArchive | HdfArchive


def archive_at(path: Path) -> KerasArchive:
    """Return the archive at a path: its first bytes tell the kind, whatever the suffix."""
    if not h5py.is_hdf5(regular_file(path)):
        return ZippedArchive(path)
    check_heaps(path)
    return HdfArchive(path)


@contextmanager
def _ending_in(path: Path, *suffixes: str) -> Iterator[str]:
    """Give a path of the file with one of these suffixes, by which Keras tells the kind."""
    if path.suffix in suffixes:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffixes[0]}"
        link.symlink_to(path.resolve())
        yield str(link)


class _InPlace:
    """Opens a member of a zip file; an uncompressed one is read where it is in the file."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile) -> None:
        self._file, self._archive = file, archive

    def open(self, name: str, mode: str = "r") -> Any:
        """Return a seekable file of the member."""
        del mode
        member = self._archive.getinfo(name)
        if member.compress_type == zipfile.ZIP_STORED:
            # Its bytes begin behind a header with a name and an extra field of variable length.
            self._file.seek(member.header_offset)
            header = self._file.read(_LOCAL_HEADER)
            lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            start = member.header_offset + _LOCAL_HEADER + lengths
            return io.BufferedReader(_Window(self._file, start, member.file_size), 1 << 20)
        # Compressed by somebody: unpacked to disk, as h5py needs random access.
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
        with self._archive.open(member) as packed:
            while block := packed.read(1 << 22):
                unpacked.write(block)
        unpacked.seek(0)
        return unpacked


class _Window(io.RawIOBase):
    """Part of a file as a file."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size = file, start, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._start + self._at)
        read = self._file.readinto(memoryview(buffer)[:wanted])  # type: ignore[attr-defined]  # of every real file
        self._at += read
        return int(read)
