"""A file that is another than its suffix says is called what it is, with what to do."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from typing import TYPE_CHECKING

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, refused, save_linear_v1

from tfmagic import models
from tfmagic.errors import SourceError
from tfmagic.formats.common.wrong_file import what_it_is

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
SUFFIXES = (".pb", ".pbtxt", ".keras", ".h5", ".meta")


def graph_as_text(file: Path) -> None:
    definition = v1.GraphDef.FromString(frozen_linear(file).read_bytes())
    tf.io.write_graph(definition, str(file.parent), file.name)


def meta_graph(file: Path) -> None:
    frozen_linear(file)
    with tf.Graph().as_default():
        v1.placeholder(tf.float32, name="x")
        v1.train.export_meta_graph(str(file))


def meta_graph_as_text(file: Path) -> None:
    with tf.Graph().as_default():
        v1.placeholder(tf.float32, name="x")
        v1.train.export_meta_graph(str(file), as_text=True)


def graph_of_a_saved_model(file: Path) -> None:
    shutil.copy(save_linear_v1(file.with_name("folder")) / "saved_model.pb", file)


def keras_file(file: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(file.with_name("own.keras"))
    file.with_name("own.keras").rename(file)


def hdf5(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["x"] = [1.0]


def index(file: Path) -> None:
    shutil.copy(save_linear_v1(file.with_name("folder")) / "variables" / "variables.index", file)


def arrays(file: Path) -> None:
    np.savez(file.with_name("own.npz"), x=np.ones(3))
    file.with_name("own.npz").rename(file)


def zipped(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/saved_model.pb", b"")


def zipped_oddly(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net\nPK\x01" + "x" * 1000, b"")


def tar(file: Path) -> None:
    with tarfile.open(file, "w") as archive:
        archive.add(__file__, "net")


def content(data: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(data)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
ONNX = b"\x08\x08\x12\x07pytorch\x3a\x04\x0a\x02ab\x42\x02\x10\x0d"

FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pointer": (content(POINTER), "a pointer of git-lfs, not the file itself: fetch that with: git lfs pull"),
    "page": (content(b"\n<!DOCTYPE html>\n<html>"), "an HTML page, as a failed download leaves it"),
    "empty": (content(b""), r"empty \(0 bytes\)"),
    "graph as text": (graph_as_text, "a graph as text: name it NAME.pbtxt"),
    "meta graph": (meta_graph, r"the graph of a checkpoint \(MetaGraphDef\): name it NAME.meta"),
    "meta graph as text": (meta_graph_as_text, r"the graph of a checkpoint \(MetaGraphDef\) as text"),
    "saved model": (graph_of_a_saved_model, "the graph file of a SavedModel: give the folder"),
    "frozen": (frozen_linear, r"a frozen graph \(GraphDef\): name it NAME.pb"),
    "keras": (keras_file, "a Keras file: name it NAME.keras"),
    "hdf5": (hdf5, "an HDF5 file: name it NAME.h5"),
    "index": (index, "the index of a checkpoint: give its path without .index"),
    "npz": (arrays, "arrays of NumPy"),
    "zip": (zipped, r"a zip archive \(with net/saved_model.pb\): unpack it"),
    "zip with odd names": (zipped_oddly, r"a zip archive \(with 'net\\nPK\\x01x+'\): unpack it"),
    "tar": (tar, "a tar archive: unpack it"),
    "gzip": (content(b"\x1f\x8b\x08" + bytes(20)), "packed with gzip: unpack it"),
    "lite": (content(b"\x1c\0\0\0TFL3" + bytes(100)), "a TensorFlow Lite model"),
    "onnx": (content(ONNX), "a model of ONNX"),
    "pickle": (content(b"\x80\x04\x95" + bytes(20)), "a pickle of Python"),
    "safetensors": (content(b'\x40\0\0\0\0\0\0\0{"x":{}}'), "a safetensors file"),
}
OWN = {
    *((".pb", "frozen"), (".pbtxt", "graph as text"), (".meta", "meta graph")),
    *((suffix, kind) for suffix in (".keras", ".h5") for kind in ("keras", "hdf5")),
}


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".model"])
@pytest.mark.parametrize("kind", FILES)
def test_it_is_said_what_it_is(tmp_path: Path, kind: str, suffix: str) -> None:
    write, what = FILES[kind]
    file = tmp_path / f"other{suffix}"
    write(file)
    if suffix == ".meta":
        file.with_suffix(".index").touch()
    if (suffix, kind) in OWN:
        assert what_it_is(file)
        return
    with pytest.raises(SourceError, match=rf"{file} is (no Keras model: .*; it is )?{what}") as caught:
        models.add("net", file)
    assert len(str(caught.value).splitlines()) == 1
    # The model's name, not the file's.
    assert str(caught.value).startswith(("net: ", str(file)))


@pytest.mark.parametrize("inner", ["saved_model.pb", "variables/variables.index"])
def test_a_saved_model_that_was_cloned_without_its_large_files(tmp_path: Path, inner: str) -> None:
    folder = save_linear_v1(tmp_path / "net")
    (folder / inner).write_bytes(POINTER)
    refused(folder, rf"{folder / inner} is a pointer of git-lfs")


def test_a_damaged_file_of_its_own_kind_may_be_damaged(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    os.truncate(file, file.stat().st_size // 2)
    refused(file, "cannot be read, it may be damaged")
