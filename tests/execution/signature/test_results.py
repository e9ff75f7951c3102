"""What counts as a result of a graph: not what loops, branches and input pipelines leave over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow

from tfmagic import models
from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1


def definition_of(build: Callable[[Any], Any], *, functional: bool) -> Any:
    with control_flow(v2=functional), tf.Graph().as_default() as graph:
        build(v1.placeholder(tf.float32, [None, 2], "x"))
    return graph.as_graph_def()


def mapped(x: Any) -> None:
    tf.identity(tf.map_fn(lambda row: row * 2.0, x), "y")


def several_mapped(x: Any) -> None:
    """As a detector does: boxes and scores of each picture, and their number."""
    boxes, scores = tf.map_fn(lambda row: (row * 2.0, tf.reduce_sum(row)), x, fn_output_signature=(tf.float32,) * 2)
    tf.identity(boxes, "boxes")
    tf.identity(scores, "scores")
    tf.identity(tf.zeros_like(scores), "number")


def branch(x: Any) -> None:
    tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1.0, lambda: x - 1.0), "y")


def branch_of_two(x: Any) -> None:
    used, _ = tf.cond(tf.reduce_sum(x) > 0, lambda: (x + 1.0, x), lambda: (x - 1.0, 2.0 * x))
    tf.negative(used, "y")


def branch_of_constants(x: Any) -> None:
    tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: tf.constant(2.0)), "y")


def unconsumed_in_a_branch(x: Any) -> None:
    def left_over() -> Any:
        tf.sqrt(x, "left_over")
        return x + 1.0

    tf.identity(tf.cond(tf.reduce_sum(x) > 0, left_over, lambda: x), "y")


def branch_in_a_loop(x: Any) -> None:
    def step(number: Any, value: Any) -> Any:
        return number + 1, tf.cond(number > 1, lambda: value * 2.0, lambda: value + 1.0)

    tf.identity(tf.while_loop(lambda number, _: number < 3, step, [tf.constant(0), x])[1], "y")


def loop_over_a_constant(x: Any) -> None:
    weights = tf.constant(np.eye(2), tf.float32)
    results = tf.while_loop(lambda i, _: i < 2, lambda i, a: (i + 1, a @ weights), [tf.constant(0), x])
    tf.identity(results[1], "y")


def recurrent(x: Any) -> None:
    state = tf.zeros([2])
    sums, _ = tf.scan(lambda before, row: (before[0] + row, before[0] * row), x, (state, state))
    tf.identity(sums, "y")


GRAPHS = {
    build.__name__: (build, outputs)
    for build, outputs in (
        (mapped, ["y"]),
        (several_mapped, ["boxes", "scores", "number"]),
        (branch, ["y"]),
        (branch_of_two, ["y"]),
        (branch_of_constants, ["y"]),
        (unconsumed_in_a_branch, ["y"]),
        (branch_in_a_loop, ["y"]),
        (loop_over_a_constant, ["y"]),
        (recurrent, ["y"]),
    )
}


@pytest.mark.parametrize("functional", [True, False], ids=["functions", "TF1's operations"])
@pytest.mark.parametrize("kind", GRAPHS)
def test_ends_of_loops_and_branches_are_no_results(kind: str, functional: bool) -> None:  # noqa: FBT001
    build, outputs = GRAPHS[kind]
    model = models.add("net", definition_of(build, functional=functional))
    assert [spec.name for spec in model.signature().outputs] == outputs
    x = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    answer = model(x)
    assert isinstance(answer, (np.ndarray, np.generic)) == (len(outputs) == 1)
    if kind in {"mapped", "several_mapped", "loop_over_a_constant"}:
        whole = answer if outputs != ["y"] else {"y": answer}
        for name, value in model.run(x, batch_size=2).items():
            np.testing.assert_array_equal(value, whole[name])


@pytest.mark.parametrize("functional", [True, False], ids=["functions", "TF1's operations"])
def test_a_loop_or_branch_at_the_end_is_the_result_without_its_counter(functional: bool) -> None:  # noqa: FBT001
    def loop(x: Any) -> None:
        tf.while_loop(lambda i, *_: i < 3, lambda i, a, b: (i + 1, a * 2.0, b), [tf.constant(0), x, tf.ones([2])])

    def chosen(x: Any) -> None:
        tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1.0, lambda: x - 1.0)

    x = np.ones((1, 2), np.float32)
    net = models.add("net", definition_of(loop, functional=functional))
    np.testing.assert_array_equal(net(x), [[8.0, 8.0]])
    net = models.add("net", definition_of(chosen, functional=functional))
    np.testing.assert_array_equal(net(x), [[2.0, 2.0]])


@pytest.mark.parametrize(
    ("more", "outputs"),
    [
        (tf.shape, ["y"]),
        (tf.nn.top_k, ["TopKV2", "TopKV2:1"]),
        (lambda y: v1.nn.fused_batch_norm(y[:, None, None, :], tf.ones([2]), tf.zeros([2])), ["FusedBatchNormV3"]),
        (lambda y: tf.nn.softmax_cross_entropy_with_logits(tf.ones([1, 2]), y), None),
        (lambda _: tf.range(3) + 1, ["y"]),
        (lambda _: v1.report_uninitialized_variables(), ["y"]),
        (lambda _: tf.queue.FIFOQueue(3, [tf.float32]).size(), ["y"]),
    ],
    ids=["a size", "a top-k", "a norm", "a loss", "constants", "reports", "a queue"],
)
@pytest.mark.parametrize("fed", [True, False])
def test_other_ends_that_are_left_over(more: Callable[[Any], Any], outputs: list[str] | None, fed: bool) -> None:  # noqa: FBT001
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], "x") if fed else tf.ones([3, 2])
        more(tf.multiply(x, v1.get_variable("w", initializer=2.0), name="y"))
    found = [spec.name for spec in models.add("net", graph).signature().outputs]
    assert len(found) == 1 if outputs is None else found == outputs


def test_the_handle_of_an_iterator_is_no_result() -> None:
    with tf.Graph().as_default() as graph:
        dataset = tf.data.Dataset.from_tensor_slices(np.ones((4, 2), np.float32)).repeat().batch(2)
        iterator = v1.data.make_one_shot_iterator(dataset)
        iterator.string_handle()
        tf.multiply(iterator.get_next(), v1.get_variable("w", initializer=2.0), name="y")
    np.testing.assert_array_equal(models.add("net", graph)(), np.full((2, 2), 2.0))


@pytest.mark.parametrize("functional", [True, False], ids=["functions", "TF1's operations"])
def test_rows_that_a_loop_collects_are_a_result(functional: bool) -> None:  # noqa: FBT001
    net = models.add("net", definition_of(lambda x: tf.map_fn(lambda row: row * 2.0, x), functional=functional))
    np.testing.assert_array_equal(net(np.ones((3, 2), np.float32)), np.full((3, 2), 2.0))


@pytest.mark.slow
@pytest.mark.parametrize("functional", [True, False], ids=["functions", "TF1's operations"])
@pytest.mark.parametrize("sequences", [True, False])
def test_what_a_recurrent_layer_leaves_over_is_no_result(functional: bool, sequences: bool) -> None:  # noqa: FBT001
    layers = pytest.importorskip("tf_keras").layers

    def build(x: Any) -> None:
        y = layers.LSTM(3, return_sequences=sequences)(tf.stack([x, x], 1))
        y = layers.Dense(2)(layers.Bidirectional(layers.GRU(3))(y) if sequences else y)
        tf.negative(y, "negative")
        # As a classifier has its scores beside what its loss takes.
        tf.nn.softmax(y, name="scores")

    with control_flow(v2=functional), tf.Graph().as_default() as graph:
        build(v1.placeholder(tf.float32, [None, 2], "x"))
    model = models.add("net", graph)
    assert [spec.name for spec in model.signature().outputs] == ["negative", "scores"]
    if functional:
        # Without functions TensorFlow itself cannot run it.
        assert model.run(np.ones((4, 2), np.float32), batch_size=2)["scores"].shape == (4, 2)


def test_a_result_that_depends_on_what_others_use_is_one() -> None:
    def build(x: Any) -> None:
        with tf.name_scope("model"):
            logits = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0), [tf.constant(0), x])[1] + 1.0
            tf.nn.softmax(logits, name="scores")
        tf.reduce_sum(logits, name="loss")

    for functional in (True, False):
        model = models.add("net", definition_of(build, functional=functional), replace=True)
        assert [spec.name for spec in model.signature().outputs] == ["model/scores", "loss"]


def test_loops_of_a_graph_that_was_made_in_this_process(tmp_path: Path) -> None:
    def build(x: Any) -> None:
        tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0), [tf.constant(0), x])

    with control_flow(v2=True), tf.Graph().as_default() as graph, v1.Session() as native:
        build(v1.placeholder(tf.float32, [None, 2], "x"))
        native.run(v1.get_variable("w", initializer=1.0).initializer)
        v1.train.Saver().save(native, str(tmp_path / "net"))
    # The same functions with other notes in them, as an import makes them.
    models.add("first", graph.as_graph_def())
    np.testing.assert_array_equal(models.add("net", tmp_path)(np.ones((1, 2), np.float32)), [[8, 8]])


def without_body(graph: Any, body: Any) -> None:
    graph.library.function.remove(body)


def with_another_function(graph: Any, body: Any) -> None:
    next(node for node in graph.node if "body" in node.attr).attr["body"].func.name = "other"
    other = graph.library.function.add()
    other.signature.name = "other"
    body.signature.input_arg.pop()


def without_results(_: Any, body: Any) -> None:
    body.ret.clear()


def in_circles(_: Any, body: Any) -> None:
    circle = body.node_def.add(name="circle", op="Identity", input=["circle:output:0"])
    circle.attr["T"].type = tf.float32.as_datatype_enum
    body.ret[body.signature.output_arg[-1].name] = "circle:output:0"


@pytest.mark.parametrize("damage", [without_body, with_another_function, without_results, in_circles])
def test_a_damaged_body_of_a_loop_is_tfmagic_s_or_tensorflow_s_error(damage: Callable[[Any, Any], None]) -> None:
    def build(x: Any) -> None:
        tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0), [tf.constant(0), x])

    graph = definition_of(build, functional=True)
    name = next(node.attr["body"].func.name for node in graph.node if "body" in node.attr)
    damage(graph, next(function for function in graph.library.function if function.signature.name == name))
    with pytest.raises((TfMagicError, tf.errors.OpError)):
        models.add("net", graph)(np.ones((1, 2), np.float32))


def test_thousands_of_branches_in_a_row() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [2], "x")
        chosen, _ = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) < 0)
        for _ in range(2000):
            chosen, _ = tf.raw_ops.Merge(inputs=[chosen, chosen])
    assert models.add("net", graph.as_graph_def()).signature().outputs


def guarded(x: Any) -> None:
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x > 0.0), [x])]):
        tf.identity(x * 2.0, "y")


def guarded_shape(x: Any) -> None:
    with tf.control_dependencies([v1.assert_greater(tf.shape(x)[0], 0), tf.add(x, 1.0, "first")]):
        tf.identity(x * 2.0, "y")


def summarised(x: Any) -> None:
    v1.summary.scalar("mean", tf.reduce_mean(x))
    v1.summary.histogram("all", tf.identity(x * 2.0, "y"))


@pytest.mark.parametrize("functional", [True, False], ids=["functions", "TF1's operations"])
@pytest.mark.parametrize("build", [guarded, guarded_shape, summarised])
def test_what_only_checks_or_shows_is_no_result(build: Callable[[Any], Any], functional: bool) -> None:  # noqa: FBT001
    model = models.add("net", definition_of(build, functional=functional))
    assert [spec.name for spec in model.signature().outputs] == ["y"]
    np.testing.assert_array_equal(model(np.ones((1, 2), np.float32)), np.full((1, 2), 2.0))


def test_what_another_value_waits_for_is_a_result_where_there_is_none_beside_it() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], "x")
        with tf.control_dependencies([tf.identity(x, "y")]):
            tf.constant(1.0, name="later")
    assert [spec.name for spec in models.add("net", graph.as_graph_def()).signature().outputs] == ["y"]
