"""What a graph from a file may do when it runs: neither Python nor other files, unless trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import save_linear_v1, save_v2, write_frozen
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models, session
from tfmagic.errors import SourceError, TfMagicError, UnsafeSourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
raw = tf.raw_ops
REFUSED = r"net: operation '.*' \({op}(V2)?\) .* when this model runs; add it with --unsafe"


def touching(secret: str) -> dict[str, Callable[[], Any]]:
    """Return what builds an output that needs the operation of that name."""

    def lines(dataset: Any) -> Any:
        return tf.data.experimental.get_single_element(dataset.batch(10))

    return {
        "ReadFile": lambda: tf.io.read_file(secret),
        "WriteFile": lambda: write_then_one(secret),
        "MatchingFiles": lambda: tf.io.matching_files(secret),
        "TextLineDataset": lambda: lines(tf.data.TextLineDataset(secret)),
        "TFRecordDataset": lambda: lines(tf.data.TFRecordDataset(secret)),
        "CacheDataset": lambda: lines(tf.data.Dataset.range(3).cache(secret)),
        "PrintV2": lambda: print_then_one(secret),
        "Abort": abort_then_one,
        "RestoreV2": lambda: raw.RestoreV2(
            prefix=secret, tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0],
        "ImmutableConst": lambda: raw.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name=secret),
        "DecodeProtoV2": lambda: raw.DecodeProtoV2(
            bytes=[b""], message_type="m", field_names=["f"], output_types=[tf.int32], descriptor_source=secret
        )[0],
        "DatasetFromGraph": lambda: lines(
            tf.data.experimental.from_variant(raw.DatasetFromGraph(graph_def=b""), tf.TensorSpec([], tf.int64))
        ),
    }


def write_then_one(secret: str) -> Any:
    with tf.control_dependencies([tf.io.write_file(secret, "overwritten")]):
        return tf.constant(1.0)


def abort_then_one() -> Any:
    with tf.control_dependencies([raw.Abort(error_msg="", exit_without_error=False)]):
        return tf.constant(1.0)


def print_then_one(secret: str) -> Any:
    with tf.control_dependencies([tf.print("overwritten", output_stream=f"file://{secret}")]):
        return tf.constant(1.0)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret.txt"
    file.write_text("secret")
    return file


@pytest.mark.parametrize("op", sorted(touching("")))
def test_an_operation_that_touches_files_is_refused_in_a_graph(tmp_path: Path, secret: Path, op: str) -> None:
    def build() -> None:
        tf.identity(touching(str(secret))[op](), name="y")

    file = write_frozen(tmp_path / "net.pb", build)
    with pytest.raises(UnsafeSourceError, match=REFUSED.format(op=op)):
        models.add("net", file, outputs="y")
    assert len(models) == 0
    assert session.hosted_graphs() == []
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("op", ["ReadFile", "WriteFile", "TextLineDataset", "CacheDataset", "PrintV2"])
def test_and_in_the_body_of_a_function_that_a_saved_model_calls(tmp_path: Path, secret: Path, op: str) -> None:
    @tf.function(autograph=False)
    def inner(x: Any) -> Any:
        with tf.control_dependencies([tf.identity(touching(str(secret))[op]())]):
            return x + 1.0

    def outer(x: Any) -> Any:
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: inner(x), lambda: x)}

    folder = save_v2(tmp_path / "net", outer, tf.TensorSpec([None], tf.float32, name="x"))
    with pytest.raises(UnsafeSourceError, match=REFUSED.format(op=op)):
        models.add("net", folder)
    assert secret.read_text() == "secret"


def test_unsafe_lets_files_be_touched(tmp_path: Path, secret: Path) -> None:
    def build() -> None:
        tf.identity(tf.io.read_file(str(secret)), name="y")
        tf.identity(write_then_one(str(tmp_path / "written.txt")), name="z")

    file = write_frozen(tmp_path / "net.pb", build)
    with pytest.raises(UnsafeSourceError, match="unsafe=True"):
        models.add("net", file, outputs="y,z")
    model = models.add("net", file, outputs="y,z", unsafe=True)
    assert model.run().y == b"secret"
    assert (tmp_path / "written.txt").read_text() == "overwritten"


@pytest.mark.parametrize("kind", ["py_function", "numpy_function", "py_func"])
@pytest.mark.parametrize("in_function", [False, True])
def test_an_operation_that_runs_python_is_refused(tmp_path: Path, kind: str, in_function: bool) -> None:  # noqa: FBT001
    ran: list[int] = []

    def body(x: Any) -> Any:
        ran.append(1)
        return x

    def call(x: Any) -> Any:
        if kind == "py_function":
            return tf.py_function(body, [x], tf.float32)
        return (tf.numpy_function if kind == "numpy_function" else v1.py_func)(body, [x], tf.float32)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.identity(tf.function(call, autograph=False)(x) if in_function else call(x), name="y")

    file = write_frozen(tmp_path / "net.pb", build)
    with pytest.raises(UnsafeSourceError, match=r"\((EagerPyFunc|PyFunc|PyFuncStateless)\) runs Python code"):
        models.add("net", file)
    assert ran == []
    model = models.add("net", file, unsafe=True)
    np.testing.assert_array_equal(model([1.0]), [1.0])
    assert ran == [1]


def test_what_no_signature_reaches_does_not_count_until_it_is_fetched(tmp_path: Path, secret: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.identity(x, name="y")
        tf.io.read_file(str(secret), name="aside")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build), outputs="y")
    assert model([1.0]).tolist() == [1.0]
    for _ in range(2):
        with pytest.raises(UnsafeSourceError, match="'aside'"):
            model.run([1.0], fetch="aside")
    assert model([2.0]).tolist() == [2.0]


def test_another_signature_is_looked_through_when_it_is_called(tmp_path: Path, secret: Path) -> None:
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.float32, name="x")
    good = tf.function(lambda x: {"y": x}).get_concrete_function(spec)
    bad = tf.function(lambda x: {"y": x, "z": tf.io.read_file(str(secret))}).get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "net"), signatures={"serving_default": good, "bad": bad})
    model = models.add("net", tmp_path / "net")
    assert model([1.0]).tolist() == [1.0]
    with pytest.raises(UnsafeSourceError, match="ReadFile"):
        model([1.0], signature="bad")


@pytest.mark.parametrize("reference", [True, False])
def test_the_loaders_own_operations_do_not_count_but_cannot_be_fetched(
    tmp_path: Path,
    reference: bool,  # noqa: FBT001
) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net", reference=reference))
    np.testing.assert_array_equal(model([[1.0, 2.0]]), [[3.0, 5.0]])
    restoring = [op.name for op in model.graph.get_operations() if op.type in {"RestoreV2", "SaveV2"}]
    assert restoring
    for name in restoring:
        with pytest.raises(TfMagicError, match=r"touches files|reads files"):
            model.run([[1.0, 2.0]], fetch=f"{name}:0")


def changed(folder: Path, change: Callable[[Any], None]) -> Path:
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(message.meta_graphs[0])
    file.write_bytes(message.SerializeToString())
    return folder


def test_a_restore_operation_that_does_more_than_restore_is_refused(tmp_path: Path, secret: Path) -> None:
    def change(meta: Any) -> None:
        with tf.Graph().as_default() as graph:
            tf.io.write_file(str(secret), "overwritten", name="evil")
            meta.graph_def.node.extend(graph.as_graph_def().node)
        restore = next(node for node in meta.graph_def.node if node.name == meta.saver_def.restore_op_name)
        restore.input.append("^evil")

    folder = changed(save_linear_v1(tmp_path / "net"), change)
    with pytest.raises(UnsafeSourceError, match="WriteFile"):
        models.add("net", folder)
    assert secret.read_text() == "secret"


def test_an_initialiser_that_does_more_is_refused(tmp_path: Path, secret: Path) -> None:
    def change(meta: Any) -> None:
        with tf.Graph().as_default() as graph:
            tf.io.write_file(str(secret), "overwritten", name="evil")
            meta.graph_def.node.extend(graph.as_graph_def().node)
        meta.collection_def["saved_model_main_op"].node_list.value.append("evil")

    folder = changed(save_linear_v1(tmp_path / "net"), change)
    with pytest.raises(UnsafeSourceError, match="WriteFile"):
        models.add("net", folder)
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/hostname", "..", ""])
def test_an_asset_outside_of_the_model_is_refused(tmp_path: Path, secret: Path, name: str) -> None:
    def change(meta: Any) -> None:
        asset = meta.asset_file_def.add(filename=name)
        asset.tensor_info.name = "x:0"

    folder = changed(save_linear_v1(tmp_path / "net"), change)
    with pytest.raises(SourceError, match=r"the asset .* is outside"):
        models.add("net", folder)
    assert secret.exists()


def pipeline(secret: str) -> Any:
    """Return the rows of a file, as a graph that was trained reads them, and what fills the iterator."""
    dataset = tf.data.TFRecordDataset([secret]).map(lambda row: tf.io.decode_raw(row, tf.float32)).batch(2)
    iterator = v1.data.make_initializable_iterator(dataset)
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
    return tf.ensure_shape(iterator.get_next(), [None, 2], "features")


@pytest.mark.parametrize("kind", ["checkpoint", "frozen graph"])
def test_what_only_leads_to_the_inputs_does_not_run_and_is_not_checked(tmp_path: Path, kind: str) -> None:
    with tf.Graph().as_default() as graph, v1.Session() as native:
        weights: Any = v1.get_variable("w", initializer=[[1.0], [1.0]]) if kind == "checkpoint" else [[1.0], [1.0]]
        tf.matmul(pipeline(str(tmp_path / "rows")), weights, name="y")
        tf.strings.length(tf.io.read_file(tf.strings.as_string(graph.get_tensor_by_name("features:0"))[0, 0]), name="z")
        source: Any = graph.as_graph_def()
        if kind == "checkpoint":
            native.run(v1.global_variables_initializer())
            source = v1.train.Saver().save(native, str(tmp_path / "net"))
    more: list[dict[str, Any]] = [{}, {"outputs": "y"}, {"inputs": "x=features:0", "outputs": "z"}]
    for options in more:
        with pytest.raises(UnsafeSourceError, match="reads files other than the model's own assets"):
            models.add("net", source, **options)
    model = models.add("net", source, inputs="x=features:0", outputs="y")
    x = np.array([[1, 2]], np.float32)
    np.testing.assert_array_equal(model(x), [[3]])
    with pytest.raises(UnsafeSourceError, match="reads files"):
        model(x, fetch="z")
    with pytest.raises(TfMagicError):
        model()
    np.testing.assert_array_equal(model(x), [[3]])
    assert any("not initialised" in note for note in model.notes) == (kind == "checkpoint")


def test_an_input_with_a_default_that_reads_a_file_is_checked_where_it_is_left_out(tmp_path: Path) -> None:
    def build() -> None:
        read = tf.io.read_file(str(tmp_path / "secret"))
        tf.identity(v1.placeholder_with_default(read, [], "x"), "y")

    with pytest.raises(UnsafeSourceError, match="reads files"):
        models.add("net", write_frozen(tmp_path / "net.pb", build))


def test_what_fills_a_table_that_no_output_needs_may_fail(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("a\nb\n")
    with tf.Graph().as_default(), v1.Session() as native:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, v1.get_variable("w", initializer=2.0), name="y")
        words = tf.lookup.TextFileInitializer(str(file), tf.string, -2, tf.int64, -1)
        tf.lookup.StaticHashTable(words, -1).lookup(tf.constant(["a"]), name="found")
        native.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.train.Saver().save(native, str(tmp_path / "net"))
    file.unlink()
    for unsafe in (False, True):
        model = models.add("net", tmp_path / "net", outputs="y", unsafe=unsafe)
        assert model(np.ones(1, np.float32)).tolist() == [2]
    with pytest.raises(tf.errors.NotFoundError, match=r"words\.txt"):
        models.add("other", tmp_path / "net", outputs="found/LookupTableFindV2", unsafe=True)
