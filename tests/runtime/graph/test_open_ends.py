"""A loop whose length the fed values choose is found, and a run that may take any time has an open end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow, save_module

from tfmagic import models
from tfmagic.runtime.graph.fed_values import has_open_end, loops_on_values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1


def halved(x: Any) -> Any:
    return tf.while_loop(lambda a: tf.norm(a) > 0.5, lambda a: (a * 0.7,), [x])[0]


def counted_by_an_input(x: Any) -> Any:
    return tf.while_loop(lambda i: i < tf.cast(x[0, 0], tf.int32), lambda i: (i + 1,), [0])[0]


def counted_by_a_choice(x: Any) -> Any:
    times = tf.cond(x[0, 0] > 0, lambda: 10**9, lambda: 1)
    return tf.while_loop(lambda i: i < times, lambda i: (i + 1,), [0])[0]


def counted_by_what_was_found(x: Any) -> Any:
    found = tf.size(tf.where(x > 0))
    return tf.while_loop(lambda i: i < found, lambda i: (i + 1,), [0])[0]


def over_a_range(x: Any) -> Any:
    steps = tf.range(tf.cast(x[0, 0], tf.int32))
    return tf.while_loop(lambda i: i < tf.shape(steps)[0], lambda i: (i + 1,), [0])[0]


def left_early(x: Any) -> Any:
    def go_on(i: Any, total: Any) -> Any:
        return tf.logical_and(i < 10**9, total < 5)

    return tf.while_loop(go_on, lambda i, total: (i + 1, total + x[0, 0]), [0, 0.0])[1]


def over_the_rows(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < tf.shape(x)[0], lambda i, a: (i + 1, a + tf.reduce_sum(x[i])), [0, 0.0])[1]


def a_fixed_number_of_times(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, a * 2), [0, x])[1]


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda row: row * 2, x)


ON_VALUES = [halved, counted_by_an_input, counted_by_a_choice, counted_by_what_was_found, over_a_range, left_early]
BOUNDED = [over_the_rows, a_fixed_number_of_times, mapped]


@pytest.mark.parametrize("in_a_function", [False, True])
@pytest.mark.parametrize("is_v2", [False, True])
@pytest.mark.parametrize("loop", [*ON_VALUES, *BOUNDED])
def test_a_loop_is_told_by_what_its_length_depends_on(loop: Any, is_v2: bool, in_a_function: bool) -> None:  # noqa: FBT001 - given by pytest
    switched = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if is_v2 else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            y = tf.identity(tf.function(loop, autograph=False)(x) if in_a_function else loop(x), name="y")
            assert loops_on_values(graph, [x.name], [y.name]) == (loop in ON_VALUES)
    finally:
        (v1.enable_control_flow_v2 if switched else v1.disable_control_flow_v2)()


def whole(x: Any) -> Any:
    return tf.cast(x[0, 0], tf.int32)


def column(x: Any) -> Any:
    return tf.cast(x[:, 0], tf.int32)


def split_by_an_input(x: Any) -> Any:
    return tf.raw_ops.SplitV(value=tf.ones([4]), size_splits=tf.stack([whole(x), 4 - whole(x)]), axis=0, num_split=2)[0]


def transposed_by_an_input(x: Any) -> Any:
    return tf.transpose(tf.ones([3, 4]), tf.stack([whole(x), 1 - whole(x)]))


def cut_out_of_a_sparse_tensor(x: Any) -> Any:
    return tf.sparse.slice(tf.sparse.from_dense(tf.ones([9])), [0], [tf.cast(x[0, 0], tf.int64)]).values


def pushed_for_each_true_value(x: Any) -> Any:
    scalar = tf.constant([], tf.int32)
    empty = tf.raw_ops.EmptyTensorList(element_shape=scalar, max_num_elements=-1, element_dtype=tf.float32)
    push = tf.raw_ops.TensorListPushBack
    more = tf.cond(x[0, 0] > 0, lambda: push(input_handle=empty, tensor=1.0), lambda: empty)
    return tf.raw_ops.TensorListStack(input_handle=more, element_shape=scalar, element_dtype=tf.float32)


SHAPED_BY_VALUES: list[Callable[[Any], Any]] = [
    lambda x: tf.math.segment_sum(x, column(x)),
    lambda x: tf.math.unsorted_segment_sum([1.0], [0], whole(x)),
    lambda x: tf.math.segment_mean(x, column(x)),
    lambda x: tf.sparse.segment_sum(x, [0], column(x)[:1]),
    lambda x: tf.dynamic_stitch([column(x)], [column(x)]),
    lambda x: tf.dynamic_partition(x[:, 0], column(x), 2)[0],
    lambda x: tf.random.stateless_uniform([whole(x)], [1, 2]),
    lambda x: tf.random.uniform([whole(x)]),
    lambda x: tf.linalg.diag([1.0], num_rows=whole(x), num_cols=whole(x)),
    lambda x: tf.linalg.diag_part(x, k=whole(x)),
    lambda x: tf.scatter_nd([[0]], [1.0], [whole(x)]),
    lambda x: tf.signal.irfft(tf.complex(tf.ones([4]), tf.ones([4])), [whole(x)]),
    lambda x: tf.nn.conv2d_transpose(tf.ones([1, 1, 1, 1]), tf.ones([1, 1, 1, 1]), [1, whole(x), 1, 1], 1),
    lambda x: tf.image.resize(tf.ones([1, 2, 2, 1]), [whole(x), 2])[0],
    lambda x: tf.concat([tf.ones([1, 2]), tf.ones([1, 2])], whole(x)),
    lambda x: tf.reduce_sum(tf.ones([2, 3]), whole(x)),
    lambda x: tf.gather(tf.ones([2, 3]), [0, 1, 1], axis=whole(x)),
    lambda x: tf.sets.union(column(x)[None], column(x)[None]).values,
    lambda x: tf.sparse.from_dense(x).values,
    lambda x: tf.strings.unicode_decode(tf.strings.as_string(whole(x)), "UTF-8"),
    lambda x: tf.strings.split(tf.strings.as_string(column(x))).flat_values,
    lambda x: tf.io.parse_tensor(tf.io.serialize_tensor(tf.range(whole(x))), tf.int32),
    lambda x: tf.io.decode_raw(tf.strings.as_string(whole(x)), tf.uint8),
    lambda x: tf.ones_like(tf.range(whole(x))),
    lambda x: tf.repeat(x, column(x), axis=0),
    lambda x: tf.boolean_mask(x, x[:, 0] > 0),
    lambda x: tf.math.bincount(column(x)),
    lambda x: tf.sequence_mask(column(x)),
    lambda x: tf.image.non_max_suppression(x, x[:, 0], 10),
    lambda x: tf.TensorArray(tf.float32, whole(x), element_shape=[]).stack(),
    *(split_by_an_input, transposed_by_an_input, cut_out_of_a_sparse_tensor, pushed_for_each_true_value),
]

SHAPED_BY_SHAPES: list[Callable[[Any], Any]] = [
    lambda x: tf.nn.relu(x @ tf.ones([4, 3])) + tf.exp(-x[:, :1]),
    lambda x: tf.nn.softmax(tf.einsum("ij,kj->ik", x, x)),
    lambda x: tf.gather(x, tf.argmax(x, 0)),
    lambda x: tf.gather_nd(x, tf.argmax(x, 1)[:, None]),
    lambda x: tf.nn.embedding_lookup(tf.ones([9, 2]), column(x)),
    lambda x: tf.one_hot(column(x), 5),
    lambda x: tf.math.top_k(x, 2).values,
    lambda x: tf.sort(x, 0),
    lambda x: tf.where(x > 0, x, tf.zeros_like(x)),
    lambda x: tf.reverse_sequence(x, column(x), 1),
    lambda x: tf.cumsum(tf.reverse(x, [0])),
    lambda x: tf.roll(x, whole(x), 0),
    lambda x: tf.concat([x, tf.pad(x, [[1, 1], [0, 0]])], 0),
    lambda x: tf.transpose(tf.reshape(x, [-1, 2, 2]), [0, 2, 1]),
    lambda x: tf.tile(tf.reshape(x, [tf.shape(x)[0], 4]), [tf.shape(x)[0], 1]),
    lambda x: tf.unstack(x, axis=1)[0],
    lambda x: tf.split(x, 2, axis=1)[1],
    lambda x: tf.sequence_mask(column(x), 6),
    lambda x: tf.tensor_scatter_nd_update(x, [[whole(x)]], x[:1]),
    lambda x: tf.scatter_nd(column(x)[:, None], x, [7, 4]),
    lambda x: tf.math.unsorted_segment_sum(x, column(x), tf.shape(x)[0]),
    lambda x: tf.raw_ops.DenseBincount(input=column(x), size=5, weights=[]),
    lambda x: tf.nn.conv2d(x[:, :, None, None], tf.ones([2, 1, 1, 3]), 1, "SAME"),
    lambda x: tf.nn.max_pool2d(x[:, :, None, None], 2, 2, "SAME"),
    lambda x: tf.image.resize(x[:, :, None, None], [2, 2]),
    lambda x: tf.image.crop_and_resize(tf.ones([1, 4, 4, 1]), x, column(x), [2, 2]),
    lambda x: tf.linalg.band_part(tf.linalg.inv(x), whole(x), -1),
    lambda x: tf.linalg.set_diag(x, x[:, 0]),
    lambda x: tf.abs(tf.signal.stft(x, 2, 1)),
    lambda x: tf.quantization.fake_quant_with_min_max_vars(x, tf.reduce_min(x), tf.reduce_max(x)),
    lambda x: tf.nn.ctc_loss(column(x)[:, None], x[None], column(x), column(x), logits_time_major=True),
    lambda x: tf.random.stateless_normal(tf.shape(x), column(x)[:2]),
    lambda x: tf.strings.join([tf.strings.as_string(x), "a"]),
    lambda x: tf.strings.to_hash_bucket_fast(tf.strings.substr(tf.strings.as_string(x), 0, 1), 3),
    lambda x: tf.map_fn(tf.nn.softmax, x),
    lambda x: tf.scan(lambda before, row: before + row, x),
    lambda x: tf.vectorized_map(tf.linalg.norm, x),
    lambda x: tf.gradients(tf.nn.softmax(x @ tf.ones([4, 4])) ** 2, x)[0],
    lambda x: tf.while_loop(lambda i, _: i < 5, lambda i, a: (i + 1, tf.nn.softmax(a)), [0, x])[1],
]


@pytest.mark.parametrize("shaped", [*SHAPED_BY_VALUES, *SHAPED_BY_SHAPES])
def test_a_loop_over_what_an_operation_gives_is_told_by_what_shapes_it(shaped: Any) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        # TensorFlow takes some shapes for known, wrongly: they would be constants.
        rows = tf.raw_ops.Shape(input=shaped(x))[0]
        y = tf.while_loop(lambda i: i < rows, lambda i: (i + 1,), [0])[0]
        assert loops_on_values(graph, [x.name], [y.name]) == (shaped in SHAPED_BY_VALUES)


def long_dataset(x: Any) -> Any:
    return tf.data.Dataset.range(2**40 + tf.cast(x[0, 0], tf.int64))


def left_dataset(x: Any) -> Any:
    return tf.data.Dataset.range(2**60).take_while(lambda _: x[0, 0] < 3)


def repeated_dataset(x: Any) -> Any:
    return tf.data.Dataset.range(2).repeat(tf.cast(x[0, 0], tf.int64))


def flattened_dataset(x: Any) -> Any:
    return tf.data.Dataset.range(2).flat_map(lambda _: long_dataset(x))


def filtered_dataset(x: Any) -> Any:
    return tf.data.Dataset.range(2**60).filter(lambda at: at > tf.cast(x[0, 0], tf.int64))


def dataset_of_rows(x: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(x).map(lambda row: row * x[0]).batch(2).prefetch(1)


def dataset_of_a_fixed_length(x: Any) -> Any:
    return tf.data.Dataset.range(3).map(lambda at: tf.cast(at, tf.float32) + x[0, 0])


DATASETS_BY_VALUES = [long_dataset, left_dataset, repeated_dataset, flattened_dataset, filtered_dataset]


@pytest.mark.parametrize("dataset", [*DATASETS_BY_VALUES, dataset_of_rows, dataset_of_a_fixed_length])
def test_a_way_through_a_dataset_is_a_loop_too(dataset: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
    def through(x: Any) -> Any:
        return dataset(x).reduce(0.0, lambda total, one: total + tf.reduce_sum(tf.cast(one, tf.float32)))

    graph = through.get_concrete_function().graph
    assert loops_on_values(graph, [graph.inputs[0].name], None) == (dataset in DATASETS_BY_VALUES)


def test_the_longer_rounds_that_a_step_through_a_dataset_leads_to_are_seen() -> None:
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def through(x: Any) -> Any:
        def step(before: Any, _: Any) -> Any:
            rounds = tf.while_loop(lambda i: i < tf.shape(before)[0], lambda i: (i + 1,), [0])[0]
            return tf.range(x) + rounds

        return tf.data.Dataset.range(3).reduce(tf.range(1), step)

    graph = through.get_concrete_function().graph
    assert loops_on_values(graph, [graph.inputs[0].name], None)


def for_loop(x: Any) -> Any:
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)])
    def step(_: Any, total: Any) -> Any:
        return total + 1

    body = step.get_concrete_function()
    body.add_to_graph()
    return tf.raw_ops.For(start=0, limit=whole(x), delta=1, input=[0.0], body=body)[0]


def test_the_limits_of_a_for_loop_are_values() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        assert loops_on_values(graph, [x.name], [for_loop(x).name])


def test_a_tf1_condition_in_a_function_chooses_the_length_of_a_loop() -> None:
    switched = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as inner:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            tf.identity(counted_by_a_choice(x), name="y")
    finally:
        (v1.enable_control_flow_v2 if switched else v1.disable_control_flow_v2)()

    def imported(x: Any) -> Any:
        return tf.graph_util.import_graph_def(inner.as_graph_def(), {"x:0": x}, ["y:0"])[0]

    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        y = tf.identity(tf.function(imported, autograph=False)(x))
        assert loops_on_values(graph, [x.name], [y.name])


class Doubling(tf.Module):
    """Never comes to an end on zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * self.factor,), [x])[0]


@pytest.mark.parametrize("options", [{"warm": True}, {"compile": True}, {}])
def test_a_loop_that_never_ends_on_made_up_numbers_is_not_run_on_them(options: Any, tmp_path: Path) -> None:
    model = models.add("a", save_module(Doubling(), tmp_path / "net"), **options)
    x = np.ones((1, 4), np.float32)
    for _ in range(40):
        np.testing.assert_array_equal(model(x), 8 * x)
    assert model.calls == 40
    if options:
        reason = "it has a loop whose length depends on the values of its inputs"
        assert any(reason in note for note in model.notes)
    model.park()
    model.wake()
    assert models.add("a", tmp_path / "net", **{**options, "warm": True}) is not None
    np.testing.assert_array_equal(models.a(x), 8 * x)


def test_among_many_inputs_one_that_ends_a_loop_is_found() -> None:
    with tf.Graph().as_default() as graph:
        inputs = [v1.placeholder(tf.int32, [], f"x{number}") for number in range(20)]
        (rounds,) = tf.while_loop(lambda i: i < inputs[11], lambda i: (i + 1,), [tf.constant(0)])
        y = tf.add_n([*inputs, rounds], "y")
    names = [x.name for x in inputs]
    assert loops_on_values(graph, names, [y.name])
    assert not loops_on_values(graph, names[:11] + names[12:], [y.name])


@pytest.mark.parametrize(
    ("is_open", "build"),
    [
        (False, lambda x: x * 2.0),
        (False, lambda x: tf.map_fn(lambda row: row * 2.0, x)),
        (True, lambda x: tf.while_loop(lambda i, _: i < x[0], lambda i, y: (i + 1.0, y * 2.0), [0.0, 1.0])[1]),
        (True, lambda x: v1.py_func(lambda value: value, [x], tf.float32)),
        (True, lambda x: tf.queue.FIFOQueue(1, tf.float32).dequeue() + x),
        (True, lambda x: v1.data.make_one_shot_iterator(tf.data.Dataset.range(3)).get_next() + tf.cast(x, tf.int64)),
        (True, tf.function(lambda value: tf.numpy_function(lambda one: one, [value], tf.float32))),
    ],
)
@pytest.mark.parametrize("v2", [False, True])
def test_a_run_that_may_take_any_time_has_an_open_end(build: Callable[[Any], Any], *, is_open: bool, v2: bool) -> None:
    with tf.Graph().as_default() as graph, control_flow(v2=v2):
        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.identity(build(x), "y")
    assert has_open_end(graph, [x.name], [y.name]) == is_open
