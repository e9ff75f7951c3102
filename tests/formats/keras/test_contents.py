"""A Keras file whose configuration or weights declare far more than the file contains is refused before it is made."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import h5py
import keras
import pytest
from factories import printed
from keras_networks import rows

from tfmagic import models
from tfmagic.errors import SourceError, UnsafeSourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KERNEL = {".keras": "layers/dense/vars/0", ".h5": "model_weights/d/net/d/kernel"}


@pytest.fixture(params=[".keras", ".h5"])
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A model of one layer in a file."""
    path = tmp_path / f"net{request.param}"
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="d")], name="net").save(path)
    return path


def changed(file: Path, config: Callable[[str], str] = str, weights: Callable[[h5py.File], None] | None = None) -> None:
    """Change the configuration and the weights in a file."""
    if file.suffix == ".h5":
        with h5py.File(file, "a") as opened:
            opened.attrs["model_config"] = config(opened.attrs["model_config"])
            if weights is not None:
                weights(opened)
        return
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = config(members["config.json"].decode()).encode()
    if weights is not None:
        memory = io.BytesIO(members["model.weights.h5"])
        with h5py.File(memory, "a") as opened:
            weights(opened)
        members["model.weights.h5"] = memory.getvalue()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def many_units(config: str) -> str:
    return config.replace('"units": 4', '"units": 100000000')


def test_units_that_the_weights_contradict(file: Path) -> None:
    changed(file, many_units)
    with pytest.raises(
        SourceError, match=r"net.* asks for 3.6 GB of weights, and it contains 144 B: it may be damaged"
    ):
        models.add("net", file)


def test_also_where_the_model_cannot_be_made_whole(tmp_path: Path) -> None:
    x = keras.Input((5, 8))
    file = tmp_path / "net.keras"
    # The next layer's configuration has the size of its input in it, which is another now.
    y = keras.layers.BatchNormalization()(keras.layers.GRU(4)(x))
    keras.Model(x, keras.layers.Dense(3)(y)).save(file)
    changed(file, many_units)
    with pytest.raises(SourceError, match=r"asks for 120000012 GB of weights, and it contains 796 B"):
        models.add("net", file)


def test_weights_that_are_only_declared(file: Path) -> None:
    def declared(opened: h5py.File) -> None:
        del opened[KERNEL[file.suffix]]
        opened.create_dataset(KERNEL[file.suffix], (10**9, 4), "f4", fillvalue=1.0)

    changed(file, weights=declared)
    with pytest.raises(SourceError, match=r"declares 16 GB of weights in .*, and its model has 144 B in all"):
        models.add("net", file)


def test_weights_that_are_only_declared_as_the_configuration_wants_them(file: Path) -> None:
    def declared(opened: h5py.File) -> None:
        del opened[KERNEL[file.suffix]]
        opened.create_dataset(KERNEL[file.suffix], (8, 10**8), "f4", fillvalue=1.0)

    changed(file, many_units, declared)
    with pytest.raises(SourceError, match=r"asks for 3.6 GB of weights, and it contains 16 B"):
        models.add("net", file)


def test_weights_in_another_file(file: Path) -> None:
    def linked(opened: h5py.File) -> None:
        del opened[KERNEL[file.suffix]]
        opened[KERNEL[file.suffix]] = h5py.ExternalLink("/somewhere/else.h5", "kernel")

    changed(file, weights=linked)
    with pytest.raises(UnsafeSourceError, match=r"reads weights from another file \('/somewhere/else.h5'\)"):
        models.add("net", file)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "more"])
def test_a_zip_file_that_unpacks_to_far_more(tmp_path: Path, name: str) -> None:
    file = tmp_path / "net.keras"
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)]).save(file)
    with zipfile.ZipFile(file) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            if member != name:
                archive.writestr(member, content)
        with archive.open(name, "w") as packed:
            packed.write(members.get(name, b""))
            for _ in range(20):
                packed.write(b" " * (1 << 24))
    with pytest.raises(SourceError, match=rf"contains .* and would unpack to 336 MB \(most of it '{name}'\)"):
        models.add("net", file)


def test_a_configuration_larger_than_any_model_has(tmp_path: Path) -> None:
    file = tmp_path / "net.keras"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 90_000_000)
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(SourceError, match=r"config.json in .*net.keras is 90 MB: expected 67.1 MB at most"):
        models.add("net", file)


def test_a_whole_file_still_loads(file: Path) -> None:
    assert models.add("net", file)(rows(2, 8)).shape == (2, 4)


HEAP = """
import sys
from tfmagic import models

try:
    models.{way}
except ValueError as error:
    print(type(error).__name__, "a heap of HDF5" in str(error), len(str(error).splitlines()))
"""


@pytest.mark.parametrize("size", [0, 2**64 - 32])
@pytest.mark.parametrize("way", ["add('net', sys.argv[1])", "inspect(sys.argv[1])"])
def test_a_heap_that_would_be_read_without_end_is_refused(tmp_path: Path, way: str, size: int) -> None:
    file = tmp_path / "net.h5"
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)]).save(file)
    content = bytearray(file.read_bytes())
    free = content.rfind(b"GCOL") + 16
    while number := int.from_bytes(content[free : free + 2], "little"):
        assert number
        free += 16 + (int.from_bytes(content[free + 8 : free + 16], "little") + 7) // 8 * 8
    content[free + 8 : free + 16] = size.to_bytes(8, "little")
    file.write_bytes(content)
    # HDF5 holds Python's lock for as long as it reads: in this process no timeout could end it.
    assert printed(HEAP.format(way=way), str(file)) == ["SourceError True 1"]
