"""v1 checkpoints that are damaged, incomplete, unsafe, or do not fit their graph: refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import refused
from tf1_checkpoints import build, saved

from tfmagic import models
from tfmagic.errors import MissingPathError, UnsafeSourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1


def other_graph(prefix: Path, make: Callable[[], Any]) -> None:
    with tf.Graph().as_default() as graph:
        make()
        v1.train.export_meta_graph(f"{prefix}.meta", graph=graph, saver_def=v1.train.Saver().as_saver_def())


def test_a_variable_that_is_not_in_the_file(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")

    def make() -> None:
        build()
        v1.get_variable("dense/secondary", [3])

    other_graph(prefix, make)
    refused(prefix, r"net: .*net does not fit its graph: it has no value for variable 'dense/secondary' \(did you mean")


def test_a_variable_of_another_shape(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")

    def make() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.matmul(x, v1.get_variable("dense/kernel", [2, 7]), name="y")

    other_graph(prefix, make)
    refused(prefix, r"variable 'dense/kernel' is \(2, 7\) in the graph and \(2, 4\) in the checkpoint")


def test_a_variable_of_another_dtype(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")

    def make() -> None:
        x = v1.placeholder(tf.float64, [None, 2], "x")
        tf.matmul(x, v1.get_variable("dense/kernel", [2, 4], tf.float64), name="y")

    other_graph(prefix, make)
    refused(prefix, r"variable 'dense/kernel' is float64 in the graph and float32 in the checkpoint")


def test_a_checkpoint_without_a_graph(tmp_path: Path) -> None:
    checkpoint = tf.train.Checkpoint(w=tf.Variable(1.0))
    prefix = tmp_path / "two"
    checkpoint.write(str(prefix))
    refused(prefix, r"the checkpoint .*two has no graph: there is no two\.meta beside it \(checkpoints of TensorFlow 2")
    checkpoint.save(str(tmp_path / "folder" / "two"))
    refused(tmp_path / "folder", r"has no graph: there is no two-1\.meta beside it", MissingPathError)


def test_a_graph_without_its_checkpoint(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    (tmp_path / "net.index").unlink()
    refused(prefix, r"the checkpoint .*net has no values: there is no net\.index beside net\.meta", MissingPathError)
    refused(tmp_path / "net.meta", "has no values", MissingPathError)


def test_a_checkpoint_without_its_data(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    (tmp_path / "net.data-00000-of-00001").unlink()
    refused(prefix, "net: the variables of .*net cannot be read")


@pytest.mark.parametrize("part", ["meta", "index", "data-00000-of-00001"])
@pytest.mark.parametrize("how", ["empty", "cut", "text"])
def test_damaged_files(tmp_path: Path, part: str, how: str) -> None:
    prefix = saved(tmp_path / "net")
    file = tmp_path / f"net.{part}"
    whole = file.read_bytes()
    file.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"a text\n" * 99}[how])
    refused(prefix, "damaged")


def test_every_flipped_byte_of_the_weights_is_noticed(tmp_path: Path) -> None:
    def make() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, v1.get_variable("w", initializer=2.0), name="y")

    prefix = saved(tmp_path / "net", make, steps=0)
    file = tmp_path / "net.data-00000-of-00001"
    whole = file.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file.write_bytes(damaged)
        refused(prefix, "net: the variables of .* cannot be read, it may be damaged")


@pytest.mark.parametrize(
    "content", [b"{", b"\x8b\xc3(", b'model_checkpoint_path: "/"', b'model_checkpoint_path: "a\\nb"'], ids=ascii
)
def test_a_folder_whose_checkpoint_file_is_no_such_thing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "checkpoint").write_bytes(content)
    refused(tmp_path / "folder", "checkpoint names no checkpoint, it may be damaged: give the path of one")


def test_python_inside_needs_unsafe(tmp_path: Path) -> None:
    def make() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0)
        tf.identity(v1.py_func(lambda v: v, [x * w], tf.float32), name="y")

    prefix = saved(tmp_path / "net", make, steps=0)
    refused(prefix, "--unsafe", UnsafeSourceError)


def test_files_that_an_initialiser_reads_need_unsafe(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret\n")

    def with_table() -> None:
        words = v1.placeholder(tf.string, [None], "words")
        initialiser = tf.lookup.TextFileInitializer(
            str(tmp_path / "secret.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
        )
        w = v1.get_variable("w", initializer=np.int64(2))
        tf.identity(tf.lookup.StaticHashTable(initialiser, -1).lookup(words) * w, name="y")

    prefix = saved(tmp_path / "net", with_table, steps=0)
    refused(prefix, "--unsafe", UnsafeSourceError)
    assert models.add("net", prefix, unsafe=True)(np.array(["a secret"], object)).tolist() == [0]
    models.drop("net")

    def with_variable() -> None:
        x = v1.placeholder(tf.string, [], "x")
        w = v1.get_variable("w", initializer=2.0)
        text = v1.get_variable("text", initializer=tf.io.read_file(str(tmp_path / "secret.txt")))
        tf.strings.join([x, text, tf.strings.as_string(w)], name="y")

    prefix = saved(tmp_path / "other", with_variable, steps=0, saver=lambda: v1.train.Saver(v1.global_variables()[:1]))
    refused(prefix, "--unsafe", UnsafeSourceError)
