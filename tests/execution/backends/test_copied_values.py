"""The same ``--copy`` line again: a copy is kept while its object is as it was, and renewed once that has changed."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, run_cell, save_linear_v1

from tfmagic import models, session
from tfmagic.execution.signature.options import Options
from tfmagic.formats.kinds import source_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("parks_here")]

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)
TRAIN = "session.run([v.assign_add(tf.ones_like(v)) for v in tf.compat.v1.global_variables() if v.dtype.is_floating])"


def network() -> Any:
    layers = [keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    made = keras.Sequential(layers)
    made.compile(optimizer="adam", loss="mse")
    return made


def again(live: Any) -> Any:
    """Say the same line again, and return what came of it."""
    return models.admit("net", source_of(live, "net"), Options.checked(copy=True))


def fit(net: Any) -> None:
    net.fit(X, X[:, :1], verbose=0)


def only_the_moving_statistics(net: Any) -> None:
    net(X * 100, training=True)


def set_weights(net: Any) -> None:
    net.set_weights([weight + 1 for weight in net.get_weights()])


def assign(net: Any) -> None:
    net.weights[0].assign_add([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def freeze(net: Any) -> None:
    net.layers[0].trainable = False


def add_a_layer_inside(net: Any) -> None:
    net.add(keras.layers.Dense(1))


CHANGES = [fit, only_the_moving_statistics, set_weights, assign, freeze, add_a_layer_inside]


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_of_a_network_that_has_changed_is_renewed(change: Callable[[Any], None]) -> None:
    net = network()
    first = again(net).model
    assert again(net).model is first
    change(net)
    renewed = again(net)
    assert (renewed.outcome, renewed.previous) == ("renewed", None)
    np.testing.assert_allclose(models.net(X), net(X, training=False), rtol=1e-4, atol=1e-5)
    assert again(net).outcome == "kept"


def test_weights_that_were_loaded_from_a_file_renew_it(tmp_path: Path) -> None:
    net = network()
    net.save_weights(tmp_path / "w.weights.h5")
    set_weights(net)
    again(net)
    net.load_weights(tmp_path / "w.weights.h5")
    assert again(net).outcome == "renewed"
    np.testing.assert_allclose(models.net(X), net(X, training=False), rtol=1e-4, atol=1e-5)


def test_what_does_not_reach_the_answers_renews_nothing() -> None:
    net = network()
    fit(net)
    first = again(net).model
    for one in net.optimizer.variables:
        one.assign(one * 0)
    assert again(net).model is first


def test_weights_that_came_back_to_what_they_were_are_unchanged() -> None:
    net = network()
    first = again(net).model
    before = net.get_weights()
    fit(net)
    net.set_weights(before)
    assert again(net).model is first


def test_a_copy_that_was_synced_is_kept() -> None:
    net = network()
    first = again(net).model
    fit(net)
    first.sync()
    assert again(net).model is first
    fit(net)
    assert again(net).outcome == "renewed"


def test_a_session_that_was_closed_takes_the_present_weights_and_is_kept() -> None:
    net = network()
    first = again(net).model
    set_weights(net)
    session.close()
    np.testing.assert_allclose(first(X), net(X, training=False), rtol=1e-4, atol=1e-5)
    assert again(net).model is first


def test_a_parked_copy_is_looked_at_without_waking_it() -> None:
    net = network()
    first = again(net).model
    first.park()
    assert again(net).model is first
    assert first.state == "parked"
    set_weights(net)
    assert again(net).outcome == "renewed"


def adapted(layer: Any, rows: Any) -> Any:
    layer.adapt(rows)
    return layer


class Scaled(keras.layers.Layer):
    """A layer with settings of its own, and with what a call leaves behind."""

    def __init__(self) -> None:
        super().__init__()
        self.factor, self._shift, self.tables = 2.0, 1, {"more": [np.zeros(2, np.float32)]}
        self.count = 0
        self.last: Any = None

    def call(self, x: Any) -> Any:
        self.count += 1
        self.last = x * self.factor + self._shift + self.tables["more"][0]
        return self.last


def with_layer(layer: Any) -> Any:
    return keras.Sequential([keras.Input((2,)), layer, keras.layers.Dense(2, kernel_initializer="ones")])


def set_on_layer(name: str, value: Any) -> Callable[[Any], None]:
    return lambda net: setattr(net.layers[0], name, value)


def set_the_activation_and_compile(net: Any) -> None:
    net.layers[0].activation = keras.activations.tanh
    net.compile(optimizer="sgd", loss="mse")


def change_an_array_in_a_list_in_a_dict(net: Any) -> None:
    net.layers[0].tables["more"][0][0] = 7


SETTINGS: list[tuple[Callable[[], Any], Callable[[Any], None]]] = [
    (lambda: adapted(keras.layers.Normalization(), X), lambda net: net.layers[0].adapt(X * 10 + 3)),
    (lambda: adapted(keras.layers.Discretization(num_bins=3), X), lambda net: net.layers[0].adapt(X * 10 + 3)),
    (lambda: keras.layers.Dense(2, "relu", kernel_initializer="ones"), set_the_activation_and_compile),
    (lambda: keras.layers.Rescaling(2.0), set_on_layer("scale", 5.0)),
    (keras.layers.BatchNormalization, set_on_layer("epsilon", 3.0)),
    (Scaled, set_on_layer("factor", 5.0)),
    (Scaled, set_on_layer("_shift", 5)),
    (Scaled, change_an_array_in_a_list_in_a_dict),
]
KINDS = ["Normalization", "Discretization", "activation", "Rescaling", "epsilon", "public", "private", "array"]


@pytest.mark.parametrize("parked", [False, True], ids=["awake", "parked"])
@pytest.mark.parametrize("sync", [False, True], ids=["again", "sync"])
@pytest.mark.parametrize(("make", "change"), SETTINGS, ids=KINDS)
def test_a_copy_follows_a_setting_that_is_no_variable(
    make: Callable[[], Any], change: Callable[[Any], None], *, sync: bool, parked: bool, tmp_path: Path
) -> None:
    net = with_layer(make())
    first = again(net).model
    assert again(net).model is first
    before = first(X)
    if parked:
        first.park()
    change(net)
    if sync:
        first.sync()
        assert again(net).model is first
    else:
        assert again(net).outcome == "renewed"
    assert not np.allclose(before, net(X))
    np.testing.assert_allclose(models.net(X), net(X), rtol=1e-5, atol=1e-6)
    assert again(net).outcome == "kept"
    models.drop("net")
    assert [one for one in (tmp_path / "parked").rglob("*") if one.is_file() and one.stat().st_size] == []


def call(net: Any) -> None:
    for rows in (X, tf.constant(X[:1])):
        net(rows)


def call_in_a_function(net: Any) -> None:
    tf.function(net).get_concrete_function(tf.TensorSpec([None, 2]))


def compile_again(net: Any) -> None:
    net.compile(optimizer="sgd", loss="mae", metrics=["mse"], run_eagerly=True)


def fit_nothing(net: Any) -> None:
    net.fit(X, X, epochs=0, verbose=0)


def predict_and_evaluate(net: Any) -> None:
    net.compile(optimizer="sgd", loss="mse")
    net.predict(X, verbose=0)
    net.evaluate(X, X, verbose=0)


def look_at_it(net: Any) -> None:
    net.summary(print_fn=lambda *_, **__: None)
    net.get_config()
    net.set_weights(net.get_weights())


def save_it(net: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.keras")
        net.export(f"{folder}/net", verbose=False)


LEAVES_ANSWERS = [call, call_in_a_function, compile_again, fit_nothing, predict_and_evaluate, look_at_it, save_it]


@pytest.mark.parametrize("act", LEAVES_ANSWERS)
@pytest.mark.parametrize("make", [make for make, _ in SETTINGS[:6]], ids=KINDS[:6])
def test_what_leaves_the_settings_of_a_network_as_they_are_renews_nothing(
    make: Callable[[], Any], act: Callable[[Any], None]
) -> None:
    net = with_layer(make())
    net.compile(optimizer="adam", loss="mse")
    first = again(net).model
    act(net)
    assert again(net).model is first
    before = first.graph
    first.sync()
    assert first.graph is before


class Factored(tf.Module):
    """A module with a number, in a function that is made from it."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.factor = tf.Variable(2.0), 3.0
        self.set(3.0)

    def set(self, factor: float) -> None:
        self.factor = factor
        self.f = tf.function(lambda x: x * self.w * self.factor, input_signature=[tf.TensorSpec([None, 2], name="x")])


@pytest.mark.parametrize("sync", [False, True], ids=["again", "sync"])
def test_a_copy_of_a_module_follows_its_number(*, sync: bool) -> None:
    module = Factored()
    first = again(module).model
    module.set(5.0)
    outcome = first.sync() if sync else again(module).outcome
    assert outcome == (1 if sync else "renewed")
    np.testing.assert_array_equal(models.net(X), 10 * X)
    assert again(module).outcome == "kept"


@pytest.mark.parametrize("sync", [False, True], ids=["again", "sync"])
def test_a_copy_of_a_keras_2_model_follows_its_settings(*, sync: bool) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    net = tf_keras.Sequential([tf_keras.layers.Dense(2, "relu", input_shape=(2,))])
    first = again(net).model
    call(net)
    net.compile(optimizer="sgd", loss="mse")
    assert again(net).model is first
    net.layers[0].activation = tf_keras.activations.tanh
    if sync:
        first.sync()
    else:
        assert again(net).outcome == "renewed"
    np.testing.assert_allclose(models.net(X), net(X), rtol=1e-5, atol=1e-6)
    assert again(net).outcome == "kept"


def test_sync_takes_a_layer_that_was_added_to_the_object() -> None:
    net = network()
    first = again(net).model
    add_a_layer_inside(net)
    first.sync()
    np.testing.assert_allclose(first(X), net(X, training=False), rtol=1e-4, atol=1e-5)
    assert again(net).model is first


def test_a_setting_that_cannot_be_read_renews_nothing_and_raises_nothing() -> None:
    class Sulky:
        sulks = False

        def __getattribute__(self, name: str) -> Any:
            if name == "__class__" and not Sulky.sulks:
                return super().__getattribute__(name)
            raise LookupError(name)

    layer = Scaled()
    net = with_layer(layer)
    layer.sulky, layer.round = Sulky(), [Sulky()]
    layer.round.append(layer.round)
    # From now on it does not even tell its class.
    Sulky.sulks = True
    first = again(net).model
    assert again(net).model is first
    layer.factor = 9.0
    assert again(net).outcome == "renewed"


class Linear(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([2.0, 2.0])
        self.called = tf.Variable(0, trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def __call__(self, x: Any) -> Any:
        return x * self.w

    def count(self) -> None:
        self.called.assign_add(1)


class Worded(tf.Module):
    """A module with a table, which is copied by way of a file."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(2.0)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="x")])
    def __call__(self, x: Any) -> Any:
        return self.table.lookup(x) * self.w


def test_a_module_is_renewed_when_a_variable_has_changed_or_is_another() -> None:
    module = Linear()
    first = again(module).model
    module.count()
    assert again(module).model is first
    module.w.assign([3.0, 3.0])
    assert again(module).outcome == "renewed"
    np.testing.assert_array_equal(models.net(X), 3 * X)
    module.w = tf.Variable([3.0, 3.0])
    assert again(module).outcome == "renewed"
    module.more = tf.Variable(1.0)
    assert again(module).outcome == "renewed"


@pytest.mark.parametrize("concrete", [False, True])
def test_a_function_is_renewed_when_what_it_captured_has_changed(*, concrete: bool) -> None:
    weight = tf.Variable(2.0)
    live: Any = tf.function(lambda x: x * weight, input_signature=[tf.TensorSpec([None, 2], name="x")])
    if concrete:
        live = live.get_concrete_function()
    first = again(live).model
    assert again(live).model is first
    weight.assign(5.0)
    assert again(live).outcome == "renewed"
    np.testing.assert_array_equal(models.net(X), 5 * X)


def test_an_object_with_tables_is_renewed_when_these_or_its_variables_have_changed() -> None:
    module = Worded()
    module.table.insert(tf.constant([1], tf.int64), [10.0])
    first = again(module).model
    assert again(module).model is first
    module.w.assign(3.0)
    assert again(module).outcome == "renewed"
    module.table.insert(tf.constant([2], tf.int64), [20.0])
    assert again(module).outcome == "renewed"
    assert models.net(np.array([1, 2, 3])).tolist() == [30.0, 60.0, -3.0]
    assert again(module).outcome == "kept"
    module.w.assign(4.0)
    models.net.sync()
    assert again(module).outcome == "kept"


def test_a_copy_that_was_trained_itself_is_kept_while_its_object_is_as_it_was() -> None:
    module = Linear()
    first = again(module).model
    run_cell(first, TRAIN, {"tf": tf})
    assert again(module).model is first
    np.testing.assert_array_equal(first(X), 3 * X)


@pytest.mark.parametrize("make", [Linear, network, Worded])
def test_where_both_were_trained_the_copy_is_kept_beside_the_new_one(make: Callable[[], Any]) -> None:
    live = make()
    given = np.array([1, 2]) if make is Worded else X
    first = again(live).model
    if make is Worded:
        # Its graph has no Python variables that a cell could train.
        backend = first.lifecycle.built_backend()
        backend.assign([(name, value + 1) for name, value in backend.values()])
    else:
        run_cell(first, TRAIN, {"tf": tf})
    learnt = first(given)
    variables = live.trainable_variables
    variables[0].assign(variables[0] + 5.0)
    renewed = again(live)
    assert renewed.outcome == "renewed"
    assert renewed.previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](given), learnt)
    assert models["net~1"].record()["source"] == "net, before it was renewed"


def test_another_object_of_the_same_expression_takes_no_training_with_it() -> None:
    def line() -> Any:
        return models.admit("net", source_of(Linear(), "(make())"), Options.checked(copy=True))

    run_cell(line().model, TRAIN, {"tf": tf})
    assert line().previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), 3 * X)
    # What has learnt nothing since is not kept beside it.
    assert line().previous is None


def test_what_was_saved_or_synced_is_not_kept_a_second_time(tmp_path: Path) -> None:
    module = Linear()
    run_cell(again(module).model, TRAIN, {"tf": tf})
    models.net.save(tmp_path / "saved")
    module.w.assign([7.0, 7.0])
    assert again(module).previous is None
    run_cell(models.net, TRAIN, {"tf": tf})
    models.net.sync()
    module.w.assign([8.0, 8.0])
    assert again(module).previous is None
    assert list(models) == ["net"]


def test_an_object_that_cannot_be_read_any_more_is_said_and_the_copy_stays() -> None:
    class Moody(Linear):
        mood = "good"

        @property
        def variables(self) -> Any:
            if self.mood == "bad":
                message = "not today"
                raise LookupError(message)
            return super().variables

    module = Moody()
    first = again(module).model
    module.mood = "bad"
    with pytest.raises(LookupError, match="not today"):
        again(module)
    assert models.net is first
    np.testing.assert_array_equal(first(X), 2 * X)


@pytest.mark.parametrize("kind", ["saved", "frozen"])
def test_training_of_a_loaded_model_is_kept_when_its_file_has_changed(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("saved" if kind == "saved" else "net.pb")
    write: Callable[..., Any] = save_linear_v1 if kind == "saved" else frozen_linear
    model = models.add("net", write(path, 2.0, 0.0))
    code = "w = tf.compat.v1.get_variable('more', initializer=1.0)\nsession.run(w.assign_add(1.0))"
    run_cell(model, code if kind == "frozen" else "session.run(" + TRAIN[12:], {"tf": tf})
    learnt = model(X)
    path.rename(tmp_path / "away")
    write(path, 9.0, 0.0)
    models.add("net", path)
    np.testing.assert_array_equal(models.net(X), 9 * X)
    np.testing.assert_array_equal(models["net~1"](X), learnt)


def test_a_live_graph_that_has_grown_goes_on_with_what_it_has_learnt() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        weight = v1.get_variable("w", initializer=2.0)
        y = tf.multiply(x, weight, name="y")
    models.add("net", graph, outputs="y")
    with graph.as_default():
        session.run(weight.assign(5.0))
        tf.identity(y, name="z")
    models.add("net", graph, outputs="y")
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), 5 * X)
