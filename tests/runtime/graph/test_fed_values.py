"""What a run keeps is copied from the caller's array first, and what only flows to outputs is not."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow

import tfmagic
from tfmagic import models, session
from tfmagic.runtime.graph.fed_values import has_open_end, kept_feeds, loops_on_values
from tfmagic.runtime.memory.fed_arrays import aligned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
WIDTH = 1024


def frame() -> np.ndarray:
    """Return an array that TensorFlow takes as a tensor's memory without a copy."""
    array = aligned(4 * WIDTH).view(np.float32).reshape(1, WIDTH)
    array[:] = np.arange(WIDTH)
    return array


def placeholder() -> Any:
    return v1.placeholder(tf.float32, [1, WIDTH], "x")


def resource() -> Any:
    return v1.get_variable("v", [1, WIDTH], use_resource=True, initializer=tf.zeros_initializer())


def reference() -> Any:
    return v1.get_variable("v", [1, WIDTH], use_resource=False, initializer=tf.zeros_initializer())


def assigned(x: Any) -> tuple[Any, Any]:
    v = resource()
    return v.assign(x).op, v.read_value()


def assigned_to_a_reference(x: Any) -> tuple[Any, Any]:
    v = reference()
    return v.assign(x).op, v.read_value()


def assigned_after_a_reshape(x: Any) -> tuple[Any, Any]:
    v = resource()
    flat = tf.reshape(tf.identity(x), [WIDTH])
    return v.assign(tf.expand_dims(flat, 0)).op, v.read_value()


def assigned_in_part(x: Any) -> tuple[Any, Any]:
    v = v1.get_variable("v", [1, WIDTH // 2], use_resource=True, initializer=tf.zeros_initializer())
    return v.assign(tf.transpose(tf.transpose(x)[: WIDTH // 2])).op, v.read_value()


def assigned_where_nothing_is_added(x: Any) -> tuple[Any, Any]:
    v = resource()
    return v.assign(x * 1 + 0).op, v.read_value()


def assigned_in_a_function(x: Any) -> tuple[Any, Any]:
    v = resource()

    @tf.function
    def inner(value: Any) -> Any:
        return v.assign(tf.identity(value))

    @tf.function
    def outer(value: Any) -> Any:
        return inner(tf.reshape(value, [1, WIDTH]))

    return outer(x).op, v.read_value()


def assigned_in_a_branch(x: Any) -> tuple[Any, Any]:
    v = resource()

    @tf.function
    def keep(value: Any) -> Any:
        if tf.size(value) > 1:
            v.assign(value)
        return tf.size(value)

    return keep(x).op, v.read_value()


def assigned_in_a_loop(x: Any) -> tuple[Any, Any]:
    v = resource()

    @tf.function
    def keep(value: Any) -> Any:
        for _ in tf.range(2):
            v.assign(value)
        return tf.size(value)

    return keep(x).op, v.read_value()


def assigned_after_a_loop(x: Any) -> tuple[Any, Any]:
    v = resource()
    _, last = v1.while_loop(lambda i, _: i < 3, lambda i, value: (i + 1, tf.identity(value)), [0, x])
    return v.assign(last).op, v.read_value()


def assigned_out_of_a_list(x: Any) -> tuple[Any, Any]:
    v = resource()
    array = tf.TensorArray(tf.float32, 1, clear_after_read=False).write(0, x)
    return v.assign(array.read(0)).op, v.read_value()


def assigned_out_of_a_list_in_a_function(x: Any) -> tuple[Any, Any]:
    v = resource()

    @tf.function
    def keep(value: Any) -> Any:
        return v.assign(tf.TensorArray(tf.float32, 1).unstack(value[None]).read(0))

    return keep(x).op, v.read_value()


def scattered(x: Any) -> tuple[Any, Any]:
    v = resource()
    return v1.scatter_update(v, [0], x).op, v.read_value()


def scattered_into_a_reference(x: Any) -> tuple[Any, Any]:
    v = reference()
    return v1.scatter_nd_update(v, [[0]], x).op, tf.identity(v)


def queued(x: Any) -> tuple[Any, Any]:
    queue = tf.queue.FIFOQueue(3, [tf.float32], [[1, WIDTH]])
    return queue.enqueue(x), queue.dequeue()


def queued_as_many(x: Any) -> tuple[Any, Any]:
    queue = tf.queue.FIFOQueue(3, [tf.float32], [[WIDTH]])
    return queue.enqueue_many([x]), queue.dequeue()


def staged(x: Any) -> tuple[Any, Any]:
    area = tf.raw_ops.Stage(values=[x], shared_name="area")
    return area, tf.raw_ops.Unstage(dtypes=[tf.float32], shared_name="area")[0]


def staged_by_key(x: Any) -> tuple[Any, Any]:
    key = tf.constant(1, tf.int64)
    put = tf.raw_ops.MapStage(key=key, indices=[0], values=[x], dtypes=[tf.float32], shared_name="map")
    return put, tf.raw_ops.MapUnstage(key=key, indices=[0], dtypes=[tf.float32], shared_name="map")[0]


def looked_up(x: Any) -> tuple[Any, Any]:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, tf.zeros([WIDTH]))
    return table.insert(tf.constant([1], tf.int64), x), table.lookup(tf.constant([1], tf.int64))


def accumulated(x: Any) -> tuple[Any, Any]:
    accumulator = v1.ConditionalAccumulator(tf.float32, [1, WIDTH], shared_name="sum")
    return accumulator.apply_grad(x), accumulator.take_grad(1)


def put_away_by_python(x: Any) -> tuple[Any, Any]:
    seen: list[np.ndarray] = []

    def keep(value: np.ndarray) -> np.int64:
        seen.append(value)
        return np.int64(1)

    return v1.py_func(keep, [x], tf.int64, stateful=False).op, v1.py_func(lambda: seen[-1], [], tf.float32)


KEEPERS: list[Callable[[Any], tuple[Any, Any]]] = [
    *(assigned, assigned_to_a_reference, assigned_after_a_reshape, assigned_in_part, assigned_where_nothing_is_added),
    *(assigned_in_a_function, assigned_in_a_branch, assigned_in_a_loop, assigned_after_a_loop),
    *(assigned_out_of_a_list, assigned_out_of_a_list_in_a_function, scattered, scattered_into_a_reference),
    *(queued, queued_as_many, staged, staged_by_key, looked_up, accumulated, put_away_by_python),
]


@pytest.mark.parametrize("keeper", KEEPERS)
def test_an_array_that_a_run_keeps_is_the_callers_to_change_afterwards(keeper: Any) -> None:
    with tf.Graph().as_default():
        x = placeholder()
        keep, read = keeper(x)
        variables = v1.global_variables()
        if variables:
            session.run([one.initializer for one in variables])
        array = frame()
        session.run(keep, {x: array})
        array *= -2
        found = session.run(read)
        np.testing.assert_array_equal(np.ravel(found), np.arange(np.size(found)))


def saved(module: Any, path: Path) -> Path:
    """Write a module as a SavedModel whose only signature is its call."""
    tf.saved_model.save(module, str(path), signatures=module.__call__.get_concrete_function())
    return path


class Last(tf.Module):
    """Gives the sum of the frame before this one, and keeps this one."""

    def __init__(self) -> None:
        super().__init__()
        self.last = tf.Variable(tf.zeros([1, WIDTH]))

    @tf.function(input_signature=[tf.TensorSpec([1, WIDTH], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        before = tf.reduce_sum(self.last)
        self.last.assign(x)
        return before


def by_call(x: Any) -> Any:
    return models.a(x)


def by_run(x: Any) -> Any:
    return next(iter(models.a.run({"x": x}).values()))


def by_a_deadline(x: Any) -> Any:
    return next(iter(models.a.run({"x": x}, timeout=600).values()))


def by_a_trace(x: Any) -> Any:
    return next(iter(models.a.run({"x": x}, trace=True).values()))


def by_comparing(x: Any) -> Any:
    return tfmagic.run_all({"a": x})["a"]


@pytest.mark.parametrize("way", [by_call, by_run, by_a_deadline, by_a_trace, by_comparing])
@pytest.mark.parametrize("options", [{}, {"copy": True}, {"warm": True}, {"compile": True}])
def test_a_model_that_keeps_its_input_gives_the_right_answers(way: Any, options: Any, tmp_path: Path) -> None:
    module = Last()
    source = module if "copy" in options else saved(module, tmp_path / "net")
    models.add("a", source, **options)
    expected = 0.0
    for _ in range(20):
        array = frame()
        array += np.random.default_rng(0).integers(100)
        assert float(np.ravel(way(array))[0]) == pytest.approx(expected, rel=1e-5)
        expected = float(array.sum(dtype="f8"))
        array *= 2


@pytest.mark.parametrize("wrapped", [lambda array: array, tf.constant, memoryview, lambda array: array.tolist()])
def test_what_is_loaded_into_a_variable_is_its_own(wrapped: Any) -> None:
    with tf.Graph().as_default():
        x, v = placeholder(), resource()
        session.run(v.initializer)
        array = frame()
        given = wrapped(array)
        if tf.is_tensor(given):
            with pytest.raises(TypeError):
                session.run(v.assign(x), {x: given})
            return
        session.run(v.assign(x).op, {x: given})
        array[:] = -1
        assert session.run(tf.reduce_min(v)) == 0
        array[:] = 5
        with session.as_default():
            v.load(array, session)
            array[:] = -1
            assert v.eval().min() == 5


def test_parts_of_sparse_and_ragged_feeds_are_copied_too() -> None:
    with tf.Graph().as_default():
        v = v1.get_variable("v", [WIDTH], use_resource=True, initializer=tf.zeros_initializer())
        sparse = v1.sparse_placeholder(tf.float32, [WIDTH])
        ragged = v1.ragged.placeholder(tf.float32, 1)
        session.run(v.initializer)
        indices = np.arange(WIDTH)[:, None]
        ways: list[tuple[Any, Callable[[np.ndarray], Any]]] = [
            (sparse, lambda array: v1.SparseTensorValue(indices, array, [WIDTH])),
            (ragged, lambda array: v1.ragged.RaggedTensorValue(array, np.array([0, WIDTH]))),
        ]
        for key, value in ways:
            array = frame()[0]
            session.run(v.assign(key.values).op, {key: value(array)})
            array[:] = -1
            assert session.run(tf.reduce_min(v)) == 0


class Interface:
    """An array of a library that NumPy knows only by one of its interfaces."""

    def __init__(self, array: np.ndarray, name: str) -> None:
        self._array = array
        setattr(self, name, getattr(array, name))


@pytest.mark.parametrize(
    "wrapped",
    [
        (ctypes.c_float * WIDTH).from_buffer,
        lambda array: Interface(array, "__array_interface__"),
        lambda array: Interface(array, "__array_struct__"),
        memoryview,
    ],
)
def test_memory_of_every_kind_that_numpy_takes_as_it_is_is_copied(wrapped: Any) -> None:
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [WIDTH])
        v = v1.get_variable("v", [WIDTH], use_resource=True, initializer=tf.zeros_initializer())
        session.run(v.initializer)
        array = frame()[0]
        session.run(v.assign(x).op, {x: wrapped(array)})
        array[:] = -1
        assert session.run(tf.reduce_min(v)) == 0


@pytest.mark.parametrize("sequence", [list, tuple])
def test_parts_of_a_sparse_feed_are_copied_in_whatever_sequence_they_come(sequence: Any) -> None:
    with tf.Graph().as_default():
        v = v1.get_variable("v", [WIDTH], use_resource=True, initializer=tf.zeros_initializer())
        sparse = v1.sparse_placeholder(tf.float32, [WIDTH])
        slices = tf.IndexedSlices(v1.placeholder(tf.float32, [WIDTH]), v1.placeholder(tf.int64, [WIDTH]))
        session.run(v.initializer)
        places = np.arange(WIDTH)
        ways: list[tuple[Any, Callable[[np.ndarray], Any]]] = [
            (sparse, lambda array: [places[:, None], array, np.array([WIDTH])]),
            (slices, lambda array: [array, places]),
        ]
        for key, parts in ways:
            array = frame()[0]
            session.run(v.assign(key.values).op, {key: sequence(parts(array))})
            array[:] = -1
            assert session.run(tf.reduce_min(v)) == 0


def test_a_run_in_parts_keeps_no_array_of_the_callers() -> None:
    with tf.Graph().as_default():
        x, v = placeholder(), resource()
        with tf.control_dependencies([v.assign(x).op]):
            kept = tf.constant(1)
        given = v1.placeholder(tf.float32, [])
        doubled = given * 2
        session.run(v.initializer)
        array = frame()
        handle = session.partial_run_setup([kept, doubled], [x, given])
        session.partial_run(handle, kept, {x: array})
        assert session.partial_run(handle, doubled, {given: 2.0}) == 4.0
        array[:] = -1
        assert session.run(tf.reduce_min(v)) == 0


def test_a_copy_and_the_object_that_it_was_made_of_share_no_memory() -> None:
    module = Last()
    module.last.assign(frame())
    model = models.add("a", module, copy=True)
    with model.graph.as_default():
        variable = tf.compat.v1.global_variables()[0]
        for _ in range(3):
            session.run(variable.assign_add(tf.ones([1, WIDTH])))
    assert module.last.numpy().max() == WIDTH - 1
    module.last.assign_sub(tf.ones([1, WIDTH]))
    assert session.run(variable).max() == WIDTH + 2


# -- what is not copied -----------------------------------------------------------


def kept(build: Callable[[], Any], *feeds: str) -> tuple[int, ...]:
    with tf.Graph().as_default() as graph:
        fetched = build()
        return kept_feeds(graph, feeds or ("x:0",), [fetched.name])


def dense() -> Any:
    return tf.nn.relu(placeholder() @ tf.ones([WIDTH, 3]))


def trained() -> Any:
    x, labels = placeholder(), v1.placeholder(tf.float32, [1, 3], "labels")
    w = v1.get_variable("w", [WIDTH, 3])
    loss = tf.reduce_sum((tf.nn.softmax(x @ w) - labels) ** 2)
    return v1.train.GradientDescentOptimizer(0.1).minimize(loss)


def counted() -> Any:
    """Return an answer beside which a counter goes on."""
    count = v1.get_variable("count", [], initializer=tf.zeros_initializer())
    with tf.control_dependencies([count.assign_add(1.0)]):
        return tf.nn.relu(placeholder() @ tf.ones([WIDTH, 3]))


def looked_up_in_a_table() -> Any:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2]), 0)
    return table.lookup(v1.placeholder(tf.int32, [None], "x"))


def with_dropout() -> Any:
    return tf.nn.dropout(tf.nn.relu(placeholder() @ tf.ones([WIDTH, 3])), 0.5)


def beside_a_writer() -> Any:
    """Return an answer of a graph in which another operation would keep the input."""
    x = placeholder()
    resource().assign(x)
    return tf.nn.relu(x @ tf.ones([WIDTH, 3]))


@pytest.mark.parametrize("build", [dense, trained, counted, looked_up_in_a_table, with_dropout, beside_a_writer])
def test_a_feed_that_flows_to_outputs_alone_is_not_copied(build: Any) -> None:
    assert kept(build) == ()


def test_of_several_feeds_only_those_that_are_kept_are_copied() -> None:
    def build() -> Any:
        x, y = placeholder(), v1.placeholder(tf.float32, [1, WIDTH], "y")
        return resource().assign(tf.identity(y)) + tf.nn.relu(x)

    assert kept(build, "x:0", "y:0") == (1,)


def test_a_recurrent_network_is_neither_copied_for_nor_left_cold(tmp_path: Path) -> None:
    layers = keras.layers
    net = keras.Sequential([keras.Input([None, 3]), layers.LSTM(4), layers.Dense(2)])
    net.export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net", warm=True)
    signature = model.signature()
    feeds, fetches = [spec.tensor for spec in signature.inputs], [spec.tensor for spec in signature.outputs]
    assert not loops_on_values(model.graph, [str(one) for one in feeds], [str(one) for one in fetches])
    assert not any("not run ahead" in note for note in model.notes)


def test_a_large_graph_is_walked_without_recursion() -> None:
    with tf.Graph().as_default() as graph:
        x = last = placeholder()
        for _ in range(3000):
            last = tf.identity(last)
        assert kept_feeds(graph, [x.name], [resource().assign(last).name]) == (0,)


# -- loops --------------------------------------------------------------------------


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
    model = models.add("a", saved(Doubling(), tmp_path / "net"), **options)
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


@pytest.mark.parametrize("in_a_function", [False, True])
def test_of_many_inputs_those_are_copied_that_a_run_keeps(in_a_function: bool) -> None:  # noqa: FBT001
    kept = {3, 17}
    with tf.Graph().as_default() as graph:
        inputs = [v1.placeholder(tf.float32, [1, WIDTH], f"x{number}") for number in range(30)]
        assign = tf.function(lambda v, value: v.assign(tf.identity(value))) if in_a_function else _assign
        with v1.variable_scope("", use_resource=True):
            variables = {at: v1.get_variable(f"v{at}", [1, WIDTH]) for at in kept}
        steps = [assign(v, tf.reshape(inputs[at], [1, WIDTH])) for at, v in variables.items()]
        with tf.control_dependencies([step if isinstance(step, tf.Operation) else step.op for step in steps]):
            y = tf.add_n([x * 2.0 for x in inputs], "y")
    assert set(kept_feeds(graph, [x.name for x in inputs], [y.name])) == kept


def _assign(v: Any, value: Any) -> Any:
    return v.assign(value).op


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
