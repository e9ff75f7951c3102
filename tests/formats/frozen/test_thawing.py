"""Large constants of frozen graphs, which become variables."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import printed, save_linear_v1, write_frozen

from tfmagic import models, session
from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
SIDE = 1024
LARGE = SIDE * SIDE * 4
X = np.linspace(-1, 1, 2 * SIDE, dtype=np.float32).reshape(2, SIDE)


def weight(seed: int, side: int = SIDE) -> np.ndarray:
    value: np.ndarray = np.random.default_rng(seed).standard_normal((side, side), np.float32)
    return value / np.float32(side**0.5)


def two_layers() -> None:
    x = v1.placeholder(tf.float32, [None, SIDE], "x")
    hidden = tf.nn.relu(tf.matmul(x, tf.constant(weight(0), name="first/w")), name="first/out")
    hidden = hidden + tf.constant(np.arange(SIDE, dtype=np.float32), name="offset")
    tf.matmul(hidden, tf.constant(weight(1), name="second/w"), name="y")


def big(file: Path) -> Path:
    return write_frozen(file, two_layers)


def definition_of(file: Path) -> Any:
    return v1.GraphDef.FromString(file.read_bytes())


def plain(definition: Any, fetch: str = "y:0", **feeds: Any) -> Any:
    with tf.Graph().as_default(), v1.Session() as native:
        tf.import_graph_def(definition, name="")
        return native.run(fetch, {f"{name}:0": value for name, value in feeds.items()})


def kinds(model: Any) -> dict[str, str]:
    return {op.name: op.type for op in model.graph.get_operations() if not op.name.startswith("tfmagic_")}


def node(definition: Any, name: str) -> Any:
    return next(node for node in definition.node if node.name == name)


def test_a_big_constant_becomes_a_variable_and_the_answer_is_the_same(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    model = models.add("net", file)
    found = kinds(model)
    assert (found["first/w"], found["second/w"]) == ("ReadVariableOp", "ReadVariableOp")
    assert found["first/w/thawed"] == "VarHandleOp"
    record = model.record()
    assert (record["variables"], record["weights_bytes"]) == (2, 2 * LARGE)
    assert (record["constants_bytes"] or 0) < 16_384
    assert model.notes == ()
    np.testing.assert_array_equal(model(X), plain(definition_of(file), x=X))


def test_ends_shapes_and_names_are_as_before(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    thawed, frozen = models.add("thawed", file), models.add("frozen", file, frozen=True)
    assert str(thawed.signature()) == str(frozen.signature())
    for op in frozen.graph.get_operations():
        for tensor in op.outputs:
            same = thawed.graph.get_tensor_by_name(tensor.name)
            assert (same.dtype, same.shape.as_list()) == (tensor.dtype, tensor.shape.as_list())
    given = thawed.run(x=X, fetch=["first/w", "first/w:0", "first/out"])
    np.testing.assert_array_equal(given["first/w"], weight(0))
    np.testing.assert_array_equal(given["first/w:0"], weight(0))
    np.testing.assert_array_equal(given["first/out"], frozen.run(x=X, fetch="first/out")["first/out"])
    fed = models.add("fed", file, inputs="x,w=first/w", outputs="out=first/out")
    np.testing.assert_array_equal(fed(x=X, w=np.zeros((SIDE, SIDE), np.float32)), np.zeros((2, SIDE)))


@pytest.mark.slow
def test_with_frozen_all_constants_stay(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    for source in (file, definition_of(file)):
        model = models.add("net", source, frozen=True, replace=True)
        assert "VarHandleOp" not in kinds(model).values()
        assert (model.record()["constants_bytes"] or 0) > 2 * LARGE
        np.testing.assert_array_equal(model(X), plain(definition_of(file), x=X))


def test_constants_of_4_mb_in_all_stay_and_of_more_the_largest_goes(tmp_path: Path) -> None:
    def build(*sides: int) -> None:
        x = v1.placeholder(tf.float32, [], "x")
        sums = [tf.reduce_sum(tf.constant(weight(side, side), name=f"w{side}")) for side in sides]
        tf.add(x, tf.add_n(sums), name="y")

    little = models.add("little", write_frozen(tmp_path / "little.pb", lambda: build(500, 700)))
    assert little.record()["variables"] == 0
    more = models.add("more", write_frozen(tmp_path / "more.pb", lambda: build(500, 700, 900)))
    found = kinds(more)
    assert (found["w500"], found["w700"], found["w900"]) == ("Const", "Const", "ReadVariableOp")
    np.testing.assert_allclose(
        more(1.0), 1 + sum(float(weight(side, side).sum()) for side in (500, 700, 900)), atol=1e-3
    )


def test_small_constants_stay_though_they_are_many(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        parts = [tf.constant(np.arange(4000, dtype=np.float32) + index) for index in range(300)]
        tf.add(tf.reduce_sum(x), tf.reduce_sum(tf.add_n(parts)), name="y")

    assert models.add("net", write_frozen(tmp_path / "net.pb", build)).record()["variables"] == 0


def test_frozen_is_refused_for_other_sources(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.identity(v1.placeholder(tf.float32, [], "x"), name="y")
    with pytest.raises(SourceError, match=r"^net: --frozen is for frozen graphs .*, and this is a .*: leave it out$"):
        models.add("net", graph, frozen=True)
    with pytest.raises(SourceError, match=r"--frozen is for frozen graphs .*, and this is a SavedModel: leave it out$"):
        models.add("net", save_linear_v1(tmp_path / "net"), frozen=True)
    assert len(models) == 0


@pytest.mark.parametrize("form", ["pb", pytest.param("pbtxt", marks=pytest.mark.slow), "GraphDef"])
def test_it_answers_the_same_after_the_session_was_closed(tmp_path: Path, form: str) -> None:
    source = source_in(tmp_path, form)
    model = models.add("net", source)
    assert kinds(model)["first/w"] == "ReadVariableOp"
    before = model(X)
    np.testing.assert_array_equal(before, plain(definition_of(tmp_path / "net.pb"), x=X))
    for _ in range(2):
        session.close()
        np.testing.assert_array_equal(model(X), before)


def source_in(folder: Path, form: str) -> Any:
    file = big(folder / "net.pb")
    if form == "pb":
        return file
    if form == "GraphDef":
        return definition_of(file)
    text = folder / "net.pbtxt"
    text.write_text(str(definition_of(file)))
    return text


@pytest.mark.parametrize("form", ["pb", pytest.param("pbtxt", marks=pytest.mark.slow)])
def test_a_file_that_changed_or_went_is_noticed_when_it_is_read_again(tmp_path: Path, form: str) -> None:
    file = source_in(tmp_path, form)
    model = models.add("net", file)
    before = model(X)
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    np.testing.assert_array_equal(model(X), before)
    session.close()
    with pytest.raises(SourceError, match=r"^net: .* has changed since it was loaded: add it again$"):
        model(X)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    np.testing.assert_array_equal(model(X), before)
    session.close()
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(SourceError, match=r"^net: .* is gone since it was loaded: put it back, or "):
        model(X)
    file.write_bytes(content[:-1])
    with pytest.raises(SourceError, match="has changed since it was loaded"):
        model(X)
    file.write_bytes(content)
    np.testing.assert_array_equal(models.add("net", file)(X), before)


def test_a_graphdef_stays_as_it_is_and_is_noticed_to_have_changed() -> None:
    graph = tf.Graph()
    with graph.as_default():
        two_layers()
    definition = graph.as_graph_def()
    before = definition.SerializeToString(deterministic=True)
    model = models.add("net", definition)
    expected = model(X)
    assert definition.SerializeToString(deterministic=True) == before
    assert models.add("net", definition) is model
    session.close()
    np.testing.assert_array_equal(model(X), expected)
    tensor = node(definition, "first/w").attr["value"].tensor
    tensor.tensor_content = np.zeros((SIDE, SIDE), np.float32).tobytes()
    session.close()
    with pytest.raises(SourceError, match=r"^net: constant 'first/w' of this GraphDef has changed since it was loaded"):
        model(X)


def rewritten(form: str, value: np.ndarray, tensor: Any) -> None:
    """Write the values of a constant in another of the ways that there are."""
    tensor.ClearField("tensor_content")
    if form == "float_val":
        tensor.float_val.extend(value.reshape(-1).tolist())
    elif form == "last one stands for the rest":
        tensor.float_val.extend([*value.reshape(-1)[:5].tolist(), 0.25])
    else:
        tensor.float_val.append(0.25)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["float_val", "last one stands for the rest", "one for all"])
@pytest.mark.parametrize("as_message", [True, False])
def test_values_may_be_written_one_by_one(tmp_path: Path, form: str, as_message: bool) -> None:  # noqa: FBT001
    definition = definition_of(big(tmp_path / "net.pb"))
    rewritten(form, weight(0), node(definition, "first/w").attr["value"].tensor)
    (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
    model = models.add("net", definition if as_message else tmp_path / "net.pb")
    assert kinds(model)["first/w"] == "ReadVariableOp"
    np.testing.assert_array_equal(model(X), plain(definition, x=X))
    session.close()
    np.testing.assert_array_equal(model(X), plain(definition, x=X))


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float64", "complex64", "complex128", "int8", "int64", "uint16"]
)
@pytest.mark.parametrize("by_tensorflow", [True, False])
def test_every_dtype_of_numbers_keeps_its_values(tmp_path: Path, dtype: str, by_tensorflow: bool) -> None:  # noqa: FBT001
    kind = tf.as_dtype(dtype)
    value = (np.arange(1_200_000 // kind.size).reshape(-1, 10) % 100).astype(kind.as_numpy_dtype)

    def build() -> None:
        x = v1.placeholder(tf.int32, [None], "x")
        constants = [tf.constant(value, name=f"w{index}") for index in range(5)]
        tf.gather(constants[0], x, name="y")

    graph = tf.Graph()
    with graph.as_default():
        build()
    definition = graph.as_graph_def()
    for one in definition.node:
        if one.op == "Const" and one.name.startswith("w") and not by_tensorflow:
            one.attr["value"].tensor.CopyFrom(as_numbers(value, one.attr["value"].tensor))
    (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
    model = models.add("net", tmp_path / "net.pb")
    assert kinds(model)["w0"] == "ReadVariableOp"
    given = model([1, 3])
    assert given.dtype == value.dtype
    np.testing.assert_array_equal(given, value[[1, 3]])


def as_numbers(value: np.ndarray, tensor: Any) -> Any:
    made = type(tensor)(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
    flat = value.reshape(-1)
    if value.dtype.name in {"float16", "bfloat16"}:
        made.half_val.extend(flat.view(np.uint16).tolist())
    elif value.dtype.name == "float64":
        made.double_val.extend(flat.tolist())
    elif value.dtype.name == "complex64":
        made.scomplex_val.extend(flat.view(np.float32).tolist())
    elif value.dtype.name == "complex128":
        made.dcomplex_val.extend(flat.view(np.float64).tolist())
    elif value.dtype.name == "int64":
        made.int64_val.extend(flat.tolist())
    else:
        made.int_val.extend(flat.tolist())
    return made


@pytest.mark.parametrize(("dtype", "field", "value"), [(tf.int8, "int_val", 300), (tf.float16, "half_val", 70_000)])
def test_numbers_that_the_dtype_cannot_hold_are_read_as_tensorflow_reads_them(
    dtype: Any, field: str, value: int
) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.int32, [None], "x")
        tf.gather(tf.constant(0, dtype, [5_000_000], name="w"), x, name="y")
    definition = graph.as_graph_def()
    one = next(one for one in definition.node if one.op == "Const" and one.name.startswith("w"))
    tensor = one.attr["value"].tensor
    for descriptor, _ in tensor.ListFields():
        if descriptor.name not in {"dtype", "tensor_shape"}:
            tensor.ClearField(descriptor.name)
    getattr(tensor, field).append(value)
    np.testing.assert_array_equal(models.add("net", definition)([5]), plain(definition, x=[5]))


def test_names_that_are_taken_are_left_to_whom_they_belong(tmp_path: Path) -> None:
    def build() -> None:
        two_layers()
        v1.placeholder_with_default(7.0, [], "first/w/thawed")
        tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="second/w/thawed", name="other")

    file = write_frozen(tmp_path / "net.pb", build)
    model = models.add("net", file, outputs="y")
    found = kinds(model)
    assert found["first/w/thawed"] == "PlaceholderWithDefault"
    assert found["first/w/thawed_1"] == found["second/w/thawed_1"] == "VarHandleOp"
    assert model.notes == ("1 variables of this graph are not frozen, and the file has no values for them",)
    np.testing.assert_array_equal(model(X), plain(definition_of(file), x=X))


def test_what_stands_beside_a_constant_goes_on_to(tmp_path: Path) -> None:
    definition = definition_of(big(tmp_path / "net.pb"))
    node(definition, "first/out").attr["_class"].list.s.append(b"loc:@first/w")
    node(definition, "second/w").attr["_class"].list.s.append(b"loc:@first/w")
    read = definition.node.add(name="first/w/read", op="Identity", input=["first/w"])
    read.attr["T"].type = tf.float32.as_datatype_enum
    read.attr["_class"].list.s.append(b"loc:@first/w")
    node(definition, "first/w").device = "/device:CPU:0"
    (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
    model = models.add("net", tmp_path / "net.pb", outputs="y,first/w/read")
    assert [model.graph.get_operation_by_name(name).device for name in ("first/w", "first/w/thawed")] == [
        "/device:CPU:0"
    ] * 2
    given = model.run(x=X)
    np.testing.assert_array_equal(given["y"], plain(definition, x=X))
    np.testing.assert_array_equal(given["read"], weight(0))


@pytest.mark.slow
def test_a_constant_in_a_branch_or_loop_of_tf1_stays_one_and_outside_of_it_is_thawed(tmp_path: Path) -> None:
    def build() -> None:
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [None, SIDE], "x")
            outside = tf.constant(weight(0), name="outside")

            def body(step: Any, value: Any) -> Any:
                inside = tf.constant(weight(1), name="inside")
                return step + 1, tf.tanh(tf.matmul(tf.matmul(value, outside), inside))

            value = tf.while_loop(lambda step, _: step < 3, body, [tf.constant(0), x])[1]
            branch = tf.cond(
                tf.reduce_sum(x) > 0,
                lambda: tf.matmul(value, tf.constant(weight(2), name="chosen")),
                lambda: tf.matmul(value, outside),
            )
            tf.identity(branch, name="y")
        finally:
            v1.enable_control_flow_v2()

    file = write_frozen(tmp_path / "net.pb", build)
    assert {"Enter", "Switch"} <= {one.op for one in definition_of(file).node}
    model = models.add("net", file, outputs="y")
    found = kinds(model)
    assert found["outside"] == "ReadVariableOp"
    assert (found["while/inside"], found["cond/chosen"]) == ("Const", "Const")
    for x in (np.abs(X), -np.abs(X)):
        np.testing.assert_allclose(model(x), plain(definition_of(file), x=x), atol=1e-5)


@pytest.mark.slow
def test_functions_of_tf2_take_what_was_thawed(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, SIDE], "x")
        w, other = tf.constant(weight(0), name="w"), tf.constant(weight(1), name="other")
        value = tf.while_loop(lambda step, _: step < 3, lambda i, h: (i + 1, tf.tanh(h @ w)), [tf.constant(0), x])[1]
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: value @ other, lambda: value), name="y")

    file = write_frozen(tmp_path / "net.pb", build)
    model = models.add("net", file, outputs="y")
    assert kinds(model)["w"] == kinds(model)["other"] == "ReadVariableOp"
    for x in (np.abs(X), -np.abs(X)):
        np.testing.assert_allclose(model(x), plain(definition_of(file), x=x), atol=1e-5)


def test_a_convolution_with_its_norm_answers_as_when_it_is_folded(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)

    def build() -> None:
        value = v1.placeholder(tf.float32, [None, 8, 8, 256], "x")
        for _ in range(3):
            kernel = chance.standard_normal((3, 3, 256, 256)).astype(np.float32) / 48
            value = tf.nn.conv2d(value, tf.constant(kernel), 1, "SAME")
            scale, offset, mean = (chance.standard_normal(256).astype(np.float32) for _ in range(3))
            variance = np.abs(chance.standard_normal(256)).astype(np.float32) + 0.5
            value = v1.nn.fused_batch_norm(value, scale, offset, mean, variance, is_training=False)[0]
            value = tf.nn.relu(value)
        tf.reduce_mean(value, [1, 2], name="y")

    file = write_frozen(tmp_path / "net.pb", build)
    x = chance.standard_normal((2, 8, 8, 256)).astype(np.float32)
    model = models.add("net", file)
    assert (model.record()["variables"], model.record()["constants_bytes"]) != (0, 0)
    np.testing.assert_allclose(model(x), plain(definition_of(file), x=x), rtol=1e-4, atol=1e-5)


def test_a_device_that_is_asked_for_is_everywhere(tmp_path: Path) -> None:
    model = models.add("net", big(tmp_path / "net.pb"), device="cpu")
    assert {op.device for op in model.graph.get_operations()} == {"/device:CPU:0"}
    assert model(X).shape == (2, SIDE)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pb", "GraphDef"])
def test_saved_as_a_frozen_graph_it_is_as_it_came(tmp_path: Path, form: str) -> None:
    source = source_in(tmp_path, form)
    model = models.add("net", source)
    expected = model(X)
    model.save(tmp_path / "saved.pb")
    again = definition_of(tmp_path / "saved.pb")
    assert {one.name: one.op for one in again.node} == {
        one.name: one.op for one in definition_of(tmp_path / "net.pb").node
    }
    np.testing.assert_array_equal(plain(again, x=X), expected)
    np.testing.assert_array_equal(models.add("again", tmp_path / "saved.pb")(X), expected)


def test_saved_as_a_folder_and_read_again_it_answers_the_same(tmp_path: Path) -> None:
    model = models.add("net", big(tmp_path / "net.pb"))
    expected = model(X)
    model.save(tmp_path / "folder")
    again = models.add("again", tmp_path / "folder")
    np.testing.assert_array_equal(again(X), expected)
    assert again.record()["weights_bytes"] == 2 * LARGE
    loaded = tf.saved_model.load(str(tmp_path / "folder")).signatures["serving_default"](x=tf.constant(X))
    np.testing.assert_allclose(loaded["y"], expected, rtol=1e-5)


def test_saved_over_its_own_file_it_is_filled_from_what_was_written(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    model = models.add("net", file, outputs="answer=y")
    doubled = {"second/w/thawed": 2 * weight(1)}
    assert isinstance(model.lifecycle.backend, GraphBackend)
    model.lifecycle.backend.assign(doubled.items())
    expected = model(X)
    np.testing.assert_allclose(expected, 2 * plain(definition_of(file), x=X), rtol=1e-5)
    model.save(file, replace=True)
    for _ in range(2):
        session.close()
        np.testing.assert_array_equal(model(X), expected)


def test_code_without_tfmagic_gives_the_answers_of_what_was_not_trained(tmp_path: Path) -> None:
    model = models.add("net", big(tmp_path / "net.pb"))
    expected = model(X)
    names: dict[str, Any] = {}
    exec(model.python(), names)  # noqa: S102 - it is what is tested
    np.testing.assert_array_equal(names["net"](X)["y"], expected)


def test_a_look_at_the_file_gives_its_weight(tmp_path: Path) -> None:
    record = models.inspect(big(tmp_path / "net.pb"))
    assert 2 * LARGE <= (record["weights_bytes"] or 0) <= 2 * LARGE + 10_000


def test_a_file_cut_short_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    whole = file.read_bytes()
    chance = random.Random(0)  # noqa: S311 - no secret
    for length in [1, 2, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(15))]:
        file.write_bytes(whole[:length])
        with pytest.raises(SourceError) as caught:
            models.add("net", file)
        assert "it may be damaged" in str(caught.value)
        assert str(caught.value).isprintable()
    assert len(models) == 0
    assert session.open_graphs() == []


def test_a_damaged_value_is_another_value(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    content = bytearray(file.read_bytes())
    at = bytes(content).index(weight(0).tobytes())
    for position in (at, at + LARGE // 2, at + LARGE - 1):
        content[position] ^= 1
    file.write_bytes(content)
    model = models.add("net", file)
    read = model.run(fetch="first/w")["first/w"]
    assert read.tobytes() == bytes(content[at : at + LARGE])


@pytest.mark.slow
def test_what_stands_around_the_values_may_be_damaged_in_any_way(tmp_path: Path) -> None:
    file = big(tmp_path / "net.pb")
    whole = file.read_bytes()
    at = whole.index(weight(0).tobytes())
    refused = 0
    for position in range(at - 50, at):
        for bit in (position % 8, (position + 3) % 8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            file.write_bytes(damaged)
            try:
                expected = plain(v1.GraphDef.FromString(bytes(damaged)), x=X)
            except Exception:  # noqa: BLE001 - TensorFlow refuses it in one of many ways
                expected = None
            try:
                model = models.add("net", file, outputs="y", replace=True)
            except SourceError as error:
                assert str(error).isprintable()  # noqa: PT017 - most flips are refused, and not all
                refused += 1
                assert expected is None
            else:
                if expected is not None:
                    np.testing.assert_array_equal(model(X), expected)
    assert refused > 10


MEMORY = """
    import ctypes, sys, threading, time
    import numpy as np, psutil, tensorflow as tf
    from tfmagic import models

    file, weights = sys.argv[1], int(sys.argv[2])
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        tf.matmul(v1.placeholder(tf.float32, [None, 4], "x"), tf.constant(np.eye(4, dtype="f4")), name="y")
    models.add("first", graph.as_graph_def())(np.ones((1, 4), "f4"))
    models.drop("first")
    process, trim = psutil.Process(), ctypes.CDLL("libc.so.6").malloc_trim
    trim(0)
    before, peak, done = process.memory_info().rss, [0], threading.Event()

    def watch():
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    model = models.add("net", file)
    x = np.ones((1, 2048), "f4")
    model(x), model.run(x=x, fetch="l2"), model.run(x=x, fetch=["l4", "y"])
    done.set()
    watching.join()
    trim(0)
    print((process.memory_info().rss - before) / weights, (peak[0] - before) / weights)
"""


@pytest.mark.slow
def test_weights_are_in_memory_once_whatever_is_fetched(tmp_path: Path) -> None:
    def build() -> None:
        value = v1.placeholder(tf.float32, [None, 2048], "x")
        for index in range(6):
            value = tf.nn.relu(tf.matmul(value, tf.constant(weight(index, 2048))), name=f"l{index}")
        tf.identity(value, name="y")

    file = write_frozen(tmp_path / "net.pb", build)
    lines = printed(MEMORY, str(file), str(6 * 2048 * 2048 * 4), TF_ONEDNN_USE_SYSTEM_ALLOCATOR="1")
    after, peak = map(float, lines[-1].split())
    assert after <= 1.15
    assert peak <= 1.3
