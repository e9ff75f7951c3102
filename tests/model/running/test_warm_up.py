"""Warming: runs on made-up numbers that end in time, can be stopped, and leave the model as it was."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import keras
import keras_applications
import keras_networks
import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import StoppedError
from tfmagic.model.running import warm_up
from tfmagic.model.running.placement_probe import placement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tfmagic.model.model import Model

v1 = tf.compat.v1
X = np.ones((1, 4), np.float32)
LEFT = "read, and not run ahead of its first call: it has a loop whose length depends on the values of its inputs"
layers = keras.layers


def lasting() -> Any:
    """Return a graph whose runs last until its variable ``rounds`` is small."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        rounds = v1.get_variable("rounds", initializer=np.int64(10**15))
        v1.assign(rounds, 1, name="end")
        done = tf.while_loop(lambda i: i < rounds, lambda i: (i + 1,), [np.int64(0)])[0]
        tf.multiply(x, tf.cast(done, tf.float32), name="y")
    return graph


def ended(model: Model) -> None:
    session.run(model.graph.get_operation_by_name("end"))


def test_runs_on_zeros_that_take_too_long_are_ended_and_the_model_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up, "_ZEROS_S", 0.5)
    model = models.add("net", lasting(), outputs="y", warm=True)
    assert any(note.startswith("not warmed: its runs on zeros took more than") for note in model.notes)
    ended(model)
    np.testing.assert_array_equal(model(X), X)
    assert model.calls == 1


def test_stop_now_ends_the_warming_of_a_model_that_is_there() -> None:
    graph = lasting()
    model = models.add("net", graph, outputs="y")
    raised: list[BaseException] = []

    def warm() -> None:
        try:
            models.add("net", graph, outputs="y", warm=True)
        except BaseException as error:  # noqa: BLE001 - looked at below
            raised.append(error)

    thread = threading.Thread(target=warm)
    thread.start()
    while model.state != "running":
        assert thread.is_alive()
        thread.join(0.01)
    model.stop(now=True)
    thread.join()
    assert [type(error) for error in raised] == [StoppedError]
    ended(model)
    np.testing.assert_array_equal(model(X), X)


def test_a_question_for_placement_is_not_asked_with_a_loop_that_may_not_end() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.identity(tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0], name="y")
    model = models.add("net", graph, outputs="y")
    found = placement(model.caller)
    assert "a loop whose length depends on the values of its inputs" in str(found)
    assert model.state == "ready"


def test_a_live_functions_placement_is_not_asked_so_either() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def net(x: Any) -> Any:
        return tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0]

    model = models.add("net", net)
    assert "a loop whose length depends on the values of its inputs" in str(placement(model.caller))


class Counting(tf.Module):
    """Counts its calls, and keeps what it was last given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.last = tf.Variable(0), tf.Variable(tf.fill([4], 5.0))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1)
        self.last.assign(x[0])
        return x


def looping(x: Any) -> Any:
    return tf.while_loop(lambda a: tf.reduce_max(a) < 5, lambda a: (a * 2,), [x])[0]


def drawing(x: Any) -> Any:
    return x + tf.random.uniform([])


@pytest.mark.parametrize("net", [looping, drawing])
def test_a_live_function_is_not_run_on_zeros_where_a_file_would_not_be(net: Any) -> None:
    function = tf.function(net, input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    model = models.add("net", function, warm=True)
    assert [note for note in model.notes if note.startswith("read, and not run ahead of its first call: ")]
    assert model.state == "ready"
    assert model(8 * X).shape == (1, 4)


def test_warming_a_live_object_that_keeps_something_leaves_it_as_it_was() -> None:
    module = Counting()
    model = models.add("net", module, warm=True)
    assert (int(module.calls), module.last.numpy().tolist()) == (0, [5.0] * 4)
    assert "a run changes what comes of the next one" in model.notes[-1]
    model(X)
    assert int(module.calls) == 1


def test_a_live_network_is_warmed_still_and_one_that_cannot_be_traced_is_left_alone() -> None:
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    assert not any("not run ahead" in note for note in models.add("net", network, warm=True).notes)

    class Python(keras.layers.Layer):
        seen = 0

        def compute_output_spec(self, inputs: Any) -> Any:
            return keras.KerasTensor(inputs.shape, inputs.dtype)

        def call(self, inputs: Any) -> Any:
            type(self).seen += int(float(inputs[0, 0]) < 10)
            return inputs

    model = models.add("plain", keras.Sequential([keras.Input((4,)), Python()]), warm=True)
    assert any("it cannot be traced as a function" in note for note in model.notes)
    assert Python.seen == 0
    model(X)
    assert Python.seen == 1


# -- which loops are run ----------------------------------------------------------------


def saved(path: Path, function: Callable[[Any], Any], *shape: int | None, dtype: Any = tf.int32) -> str:
    """Write a SavedModel of a function of one input."""
    module = tf.Module()
    module.f = tf.function(function, input_signature=[tf.TensorSpec(shape, dtype, name="x")])
    tf.saved_model.save(module, str(path), signatures=module.f.get_concrete_function())
    return str(path)


def for_ever_unless_three(n: Any) -> Any:
    return tf.while_loop(lambda _: tf.not_equal(n, 3), lambda i: (i + 1,), [0])[0]


def rows(x: Any) -> Any:
    """Return how many rows there are, also where TensorFlow believes to know it."""
    return tf.raw_ops.Shape(input=x)[0]


def reserved(x: Any) -> Any:
    scalar = tf.constant([], tf.int32)
    made = tf.raw_ops.TensorListReserve(element_shape=scalar, num_elements=x, element_dtype=tf.float32)
    return tf.raw_ops.TensorListLength(input_handle=made)


def split(x: Any) -> Any:
    return rows(tf.raw_ops.SplitV(value=tf.ones([4]), size_splits=tf.stack([x, 4 - x]), axis=0, num_split=2)[0])


def sliced(x: Any) -> Any:
    return rows(tf.sparse.slice(tf.sparse.from_dense(tf.ones([9])), [0], [tf.cast(x, tf.int64)]).values)


def parsed(x: Any) -> Any:
    return rows(tf.io.parse_tensor(tf.io.serialize_tensor(tf.range(x)), tf.int32))


NUMBERS: list[Callable[[Any], Any]] = [
    lambda x: rows(tf.math.unsorted_segment_sum([1.0], [0], x + 1)),
    lambda x: rows(tf.random.stateless_uniform([x], [1, 2])),
    lambda x: rows(tf.linalg.diag([1.0], num_rows=x + 1, num_cols=x + 1)),
    lambda x: rows(tf.scatter_nd([[0]], [1.0], [x])),
    lambda x: tf.TensorArray(tf.float32, size=x).size(),
    lambda x: rows(tf.transpose(tf.ones([3, 4]), tf.stack([x, 1 - x]))),
    lambda x: tf.strings.length(tf.strings.as_string(x)),
    lambda x: rows(tf.strings.unicode_decode(tf.strings.as_string(x), "UTF-8")),
    lambda x: rows(tf.signal.irfft(tf.complex(tf.ones([4]), tf.ones([4])), [x + 1])),
    *(reserved, split, sliced, parsed),
]
LISTS: list[Callable[[Any], Any]] = [
    lambda x: rows(tf.math.segment_sum(tf.ones_like(x), x)),
    lambda x: rows(tf.dynamic_stitch([x], [tf.ones_like(x)])),
    lambda x: rows(tf.sets.union(x[None], x[None]).values),
    lambda x: rows(tf.io.parse_tensor(tf.io.serialize_tensor(x), tf.int32)),
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_model_that_makes_the_length_of_its_loop_of_a_number_is_not_run(number: Any, tmp_path: Path) -> None:
    model = models.add("net", saved(tmp_path / "net", lambda x: for_ever_unless_three(number(x))), warm=True)
    assert LEFT in model.notes


@pytest.mark.parametrize("number", LISTS)
def test_a_model_that_makes_the_length_of_its_loop_of_several_is_not_run(number: Any, tmp_path: Path) -> None:
    model = models.add("net", saved(tmp_path / "net", lambda x: for_ever_unless_three(number(x)), None), warm=True)
    assert LEFT in model.notes


@pytest.mark.parametrize(
    "dataset",
    [
        lambda x: tf.data.Dataset.range(2**40 + tf.cast(x, tf.int64)),
        lambda x: tf.data.Dataset.range(2**60).take_while(lambda _: x < 3),
    ],
)
def test_a_model_that_goes_through_as_much_data_as_an_input_says_is_not_run(dataset: Any, tmp_path: Path) -> None:
    def total(x: Any) -> Any:
        return dataset(x).reduce(tf.constant(0, tf.int64), lambda a, b: a + b)

    model = models.add("net", saved(tmp_path / "net", total), warm=True)
    assert LEFT in model.notes


@pytest.mark.parametrize(
    "choose", [lambda x, one, two: tf.cond(x < 2, one, two), lambda x, *way: tf.switch_case(x, way)]
)
def test_a_loop_on_values_in_a_branch_is_not_run(choose: Any, tmp_path: Path) -> None:
    def net(x: Any) -> Any:
        return choose(x, lambda: for_ever_unless_three(x), lambda: 1)

    model = models.add("net", saved(tmp_path / "net", net), warm=True)
    assert LEFT in model.notes


@pytest.fixture
def _without_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a loaded machine no say in whether a model is warmed."""
    monkeypatch.setattr(warm_up, "_ZEROS_S", 3600.0)


def network(*stack: Any, shape: tuple[int | None, ...] = (None, 3)) -> Any:
    return keras.Sequential([keras.Input(shape), *stack])


def transformer_block() -> Any:
    x = keras.Input((None, 8))
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    return keras.Model(x, layers.LayerNormalization()(y + layers.Dense(8)(layers.Dense(16, activation="gelu")(y))))


RECURRENT: list[Callable[[], Any]] = [
    lambda: network(layers.LSTM(4)),
    lambda: network(layers.GRU(4, return_sequences=True), layers.GRU(3, go_backwards=True)),
    lambda: network(layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.Dense(2)),
    lambda: network(layers.Masking(), layers.LSTM(4)),
    lambda: network(layers.Embedding(9, 3, mask_zero=True), layers.Bidirectional(layers.GRU(4)), shape=(None,)),
    lambda: network(layers.SimpleRNN(4, return_sequences=True), layers.TimeDistributed(layers.Dense(2))),
    lambda: network(layers.ConvLSTM2D(2, 3, padding="same"), shape=(None, 4, 4, 1)),
    transformer_block,
]


@pytest.mark.parametrize("build", RECURRENT)
@pytest.mark.usefixtures("_without_hurry")
def test_a_network_that_goes_over_steps_is_warmed(build: Any, tmp_path: Path) -> None:
    build().export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net", warm=True)
    assert model.lifecycle.is_warm, model.notes


# Those whose runs change something, and one that takes no picture of one pixel.
NOT_ON_ZEROS = {keras_networks.recurrent, keras_networks.stateful, keras_networks.any_size}


@pytest.mark.parametrize(
    "build",
    [one for one in (*keras_networks.DRAWN, *keras_networks.WHOLE, *keras_networks.TABLES) if one not in NOT_ON_ZEROS],
)
@pytest.mark.usefixtures("_without_hurry")
def test_a_network_of_any_kind_is_warmed(build: Any, tmp_path: Path) -> None:
    build()[0].save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", warm=True)
    assert model.lifecycle.is_warm, model.notes


@pytest.mark.usefixtures("_without_hurry")
@pytest.mark.parametrize("build", [keras_applications.mobile_net, keras_applications.efficient_net])
def test_a_network_for_pictures_is_warmed(build: Any, tmp_path: Path) -> None:
    build(input_shape=(32, 32, 3), classes=3).save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", warm=True)
    assert model.lifecycle.is_warm, model.notes


def mapped(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.nn.softmax(row * 2), x)


def over_the_rows(x: Any) -> Any:
    ends = tf.shape(x)[0]
    return tf.while_loop(lambda i, _: i < ends, lambda i, a: (i + 1, a + tf.reduce_sum(x[i])), [0, 0.0])[1]


def decoded_greedily(x: Any) -> Any:
    """Return what a decoder of a fixed length says, which attends to its input and to what it has said."""
    table = tf.reshape(tf.cast(tf.range(20), tf.float32), [5, 4])
    said = tf.TensorArray(tf.int64, 6, element_shape=[None])

    def step(at: Any, word: Any, said: Any) -> Any:
        query = tf.gather(table, word)
        attended = tf.einsum("bq,q->b", tf.nn.softmax(query @ tf.transpose(x)), x[:, 0])
        word = tf.argmax(query @ tf.transpose(table) + attended[:, None], -1)
        return at + 1, word, said.write(at, word)

    start = [0, tf.zeros([tf.shape(x)[0]], tf.int64), said]
    return tf.while_loop(lambda at, *_: at < 6, step, start)[2].stack()


def over_a_dataset(x: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(x).reduce(0.0, lambda total, row: total + tf.reduce_sum(row))


@pytest.mark.parametrize("net", [mapped, over_the_rows, decoded_greedily, over_a_dataset])
@pytest.mark.usefixtures("_without_hurry")
def test_a_loop_over_what_is_there_is_warmed(net: Any, tmp_path: Path) -> None:
    model = models.add("net", saved(tmp_path / "net", net, None, 4, dtype=tf.float32), warm=True)
    assert model.lifecycle.is_warm, model.notes


@pytest.mark.usefixtures("_without_hurry")
def test_a_loop_of_tensorflow_1_over_the_rows_is_warmed() -> None:
    switched = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    graph = tf.Graph()
    try:
        with graph.as_default():
            x = v1.placeholder(tf.float32, [None, None, 4], "x")
            tf.identity(over_the_rows(x), name="y")
    finally:
        (v1.enable_control_flow_v2 if switched else v1.disable_control_flow_v2)()
    model = models.add("net", graph, outputs="y", warm=True)
    assert model.lifecycle.is_warm, model.notes
