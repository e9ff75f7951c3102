"""What a run keeps is copied from the caller's array first, and what only flows to outputs is not."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import save_module

import tfmagic
from tfmagic import models, session
from tfmagic.runtime.graph.fed_values import kept_feeds, loops_on_values
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
    source = module if "copy" in options else save_module(module, tmp_path / "net")
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
