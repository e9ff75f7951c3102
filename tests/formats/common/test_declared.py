"""What a file declares is held against what it contains and what memory there is, before anything is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow, save_linear_v1, save_v2, write_frozen
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models
from tfmagic.errors import SourceError
from tfmagic.graphdef.declared_sizes import declared_constants
from tfmagic.graphdef.walk import bodies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1

FAR_TOO_LARGE = (1 << 20, 1 << 20, 1 << 10)


def written(file: Path, build: Callable[[Any], Any], change: Callable[[Any], None] = lambda _: None) -> Path:
    """Write a frozen graph of ``x``, changed as a message before."""

    def whole() -> None:
        tf.identity(build(v1.placeholder(tf.float32, [None, 4], "x")), name="y")

    write_frozen(file, whole)
    definition = v1.GraphDef.FromString(file.read_bytes())
    change(definition)
    if file.suffix == ".pbtxt":
        file.write_text(text_format.MessageToString(definition))
    else:
        file.write_bytes(definition.SerializeToString())
    return file


def enlarged(*sizes: int, name: str = "c") -> Callable[[Any], None]:
    """Return a change that gives a constant a shape and one value, wherever it is."""

    def change(definition: Any) -> None:
        for nodes in bodies(definition):
            for node in nodes:
                if node.op == "Const" and node.name.split("/")[-1] == name:
                    tensor = node.attr["value"].tensor
                    tensor.ClearField("tensor_content")
                    tensor.ClearField("tensor_shape")
                    tensor.float_val[:] = [1.0]
                    for size in sizes:
                        tensor.tensor_shape.dim.add(size=size)

    return change


def plus_constant(x: Any) -> Any:
    return x + tf.reduce_sum(tf.constant([1.0, 2.0], name="c"))


def in_function(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, plus_constant(y)), (tf.constant(0), x))[1]


def assert_does_not_fit(path: Path) -> None:
    record = models.inspect(path)
    assert record["fits"] is False
    assert record["notes"][0].startswith(f"add refuses it: {path} contains ")


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
@pytest.mark.parametrize("build", [plus_constant, in_function])
@pytest.mark.parametrize("sizes", [(10**9,), (2**33, 2**33, 2**62)])
def test_a_constant_of_one_value_that_would_fill_the_memory(
    tmp_path: Path, suffix: str, build: Callable[[Any], Any], sizes: tuple[int, ...]
) -> None:
    with control_flow(v2=True):
        file = written(tmp_path / f"net{suffix}", build, enlarged(*sizes))
    with pytest.raises(SourceError, match=r"net: .* contains .*B, and its constants would take .* GB of memory"):
        models.add("net", file)
    assert_does_not_fit(file)


def test_several_that_would_fill_it_together(tmp_path: Path) -> None:
    def many(x: Any) -> Any:
        return x + sum(tf.reduce_sum(tf.constant([1.0, 2.0], name=f"of_{at}/c")) for at in range(6))

    file = written(tmp_path / "net.pb", many, enlarged(10**8))
    with pytest.raises(SourceError, match=r"would take 2.4 GB of memory \('of_0/c', Const, 100000000 elements\)"):
        models.add("net", file)


def test_a_saved_models_function(tmp_path: Path) -> None:
    folder = save_v2(tmp_path / "net", plus_constant, tf.TensorSpec([None, 4]))
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    enlarged(2**31)(message.meta_graphs[0].graph_def)
    file.write_bytes(message.SerializeToString())
    with pytest.raises(SourceError, match=r"would take 8.59 GB of memory \('c', Const, 2147483648 elements\)"):
        models.add("net", folder)
    assert_does_not_fit(folder)


def test_a_constant_of_one_value_that_fits_is_what_it_says(tmp_path: Path) -> None:
    file = written(tmp_path / "net.pb", plus_constant, enlarged(10**6))
    np.testing.assert_array_equal(models.add("net", file)(np.zeros((1, 4), np.float32)), np.full((1, 4), 1e6))


def test_a_large_initial_value_of_a_variable_with_a_value_does_not_count() -> None:
    with tf.Graph().as_default() as graph:
        v1.get_variable("v", [1 << 28], initializer=v1.constant_initializer(1.0))
    definition = graph.as_graph_def()
    assert [constant.name for constant in declared_constants(definition)] == []


def filled(x: Any) -> Any:
    return x + tf.reduce_sum(tf.fill(tf.constant(FAR_TOO_LARGE, tf.int64), 1.0))


def drawn(x: Any) -> Any:
    return x + tf.reduce_sum(v1.random_uniform(tf.constant(FAR_TOO_LARGE, tf.int64)))


def tiled(x: Any) -> Any:
    return x + tf.reduce_sum(tf.tile(tf.ones([2, 2, 2]), tf.constant(FAR_TOO_LARGE, tf.int64)))


def called(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return tf.function(build, input_signature=[tf.TensorSpec([None, 4])])  # type: ignore[no-any-return]


@pytest.mark.parametrize("build", [filled, drawn, tiled, called(filled), called(drawn)])
def test_a_tensor_that_no_memory_can_hold(tmp_path: Path, build: Callable[[Any], Any]) -> None:
    with pytest.raises(SourceError, match=r"net: a tensor of .*elements\) takes [0-9]+ GB of memory, and this kernel"):
        models.add("net", written(tmp_path / "net.pb", build))


def entries(x: Any) -> Any:
    handle, flow = tf.raw_ops.TensorArrayV3(size=tf.constant(2**31 - 1), dtype=tf.float32)
    return x + tf.cast(tf.raw_ops.TensorArraySizeV3(handle=handle, flow_in=flow), tf.float32)


def listed(x: Any) -> Any:
    entries = tf.raw_ops.TensorListReserve(
        element_shape=tf.constant([], tf.int32), num_elements=2**31 - 1, element_dtype=tf.float32
    )
    return x + tf.cast(tf.raw_ops.TensorListLength(input_handle=entries), tf.float32)


@pytest.mark.parametrize("build", [entries, listed, called(entries), called(listed)])
def test_room_for_more_entries_than_any_memory_has(tmp_path: Path, build: Callable[[Any], Any]) -> None:
    with pytest.raises(SourceError, match=r"net: a tensor of .*elements\) takes 137 GB of memory, and this kernel"):
        models.add("net", written(tmp_path / "net.pb", build))


@pytest.mark.parametrize("v2", [False, True])
def test_a_loop_of_more_steps_at_once_than_any_memory_has(tmp_path: Path, *, v2: bool) -> None:
    def looped(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2.0), [0, x])[1]

    def change(definition: Any) -> None:
        for nodes in bodies(definition):
            for node in nodes:
                if "parallel_iterations" in node.attr:
                    node.attr["parallel_iterations"].i = 1 << 31

    with control_flow(v2=v2):
        file = written(tmp_path / "net.pb", looped, change)
    with pytest.raises(SourceError, match=r"net: a tensor of .*elements\) takes 137 GB of memory, and this kernel"):
        models.add("net", file)


@pytest.mark.parametrize(
    "draw",
    [
        v1.random_uniform,
        tf.random.truncated_normal,
        lambda sizes: tf.random.uniform(sizes, maxval=5, dtype=tf.int32),
        lambda sizes: tf.random.gamma(sizes, 1.0),
        lambda sizes: tf.random.poisson(sizes, 1.0),
        lambda sizes: tf.random.stateless_normal(sizes, [1, 2]),
        lambda sizes: tf.random.stateless_uniform(sizes, [1, 2], None, None, tf.int32),
    ],
)
def test_more_elements_than_can_be_counted(tmp_path: Path, draw: Callable[[Any], Any]) -> None:
    def change(definition: Any) -> None:
        for node in definition.node:
            if node.name == "sizes":
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([2**31 - 1] * 3))

    file = written(
        tmp_path / "net.pb", lambda x: x + tf.cast(draw(tf.constant([1, 1, 4], name="sizes")), tf.float32), change
    )
    with pytest.raises(SourceError, match="has more elements than can be counted"):
        models.add("net", file)


def test_what_no_output_needs_does_not_count(tmp_path: Path) -> None:
    def beside(x: Any) -> Any:
        filled(x)
        return x * 2

    model = models.add("net", written(tmp_path / "net.pb", beside), outputs="y=y:0")
    np.testing.assert_array_equal(model(np.ones((1, 4), np.float32)), np.full((1, 4), 2.0))


def test_variables_that_no_memory_can_hold(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for node in message.meta_graphs[0].graph_def.node:
        if node.op == "VarHandleOp":
            node.attr["shape"].shape.dim.add(size=1 << 40)
    file.write_bytes(message.SerializeToString())
    with pytest.raises(SourceError, match=r"declares in variables and constants takes [0-9]+ GB of memory"):
        models.add("net", folder)


def test_a_file_larger_than_any_graph_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "net.pb"
    with file.open("wb") as opened:
        opened.truncate(3 << 30)
        # Enough data for a file that is no mere hole.
        for at in range(0, 3 << 30, 1 << 25):
            opened.seek(at)
            opened.write(b"\n" * (1 << 20))
    with pytest.raises(SourceError, match=r"is 3.22 GB, and no file of a graph is larger than 2.15 GB"):
        models.add("net", file)


def test_a_large_file_that_is_no_graph_is_not_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(bytes(1 << 27))
    with pytest.raises(SourceError, match=r"cannot be read, it may be damaged \(field 0 goes beyond its message\)"):
        models.add("net", folder)


def test_binary_in_a_text_graph(tmp_path: Path) -> None:
    file = tmp_path / "net.pbtxt"
    file.write_bytes(b'node { name: "x" }' + bytes(100))
    with pytest.raises(SourceError, match=r"it is binary, and text was expected"):
        models.add("net", file)
