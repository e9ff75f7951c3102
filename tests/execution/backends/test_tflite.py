"""Calls by TensorFlow Lite: the same answers, of constants that stand, and where nobody sees it but by the time."""

from __future__ import annotations

import re
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.execution.backends import tflite as lite
from tfmagic.panel.views.model_pages import ModelPage
from tfmagic.runtime.calls.latency_trial import LatencyTrial
from tfmagic.runtime.calls.prepared_call import LITE

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.model.model import Model

# The tests below that name versions try on any other TensorFlow what comes in its place.
pytestmark = pytest.mark.skipif(
    lite.lite_is_missing(), reason="this TensorFlow has no interpreter that is known to work"
)

v1 = tf.compat.v1
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _lite_is_quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have calls go that way wherever they can, whatever a busy machine measures."""

    def quickest(trial: LatencyTrial) -> str:
        return LITE if LITE in trial.ways else list(trial.ways)[-1]

    monkeypatch.setattr(LatencyTrial, "quickest", property(quickest))
    # And not as a slow machine's single look would have it.
    monkeypatch.setattr("tfmagic.runtime.calls.prepared_call._LONG_S", 10.0)
    monkeypatch.setattr("tfmagic.runtime.calls.prepared_call._QUICK_S", 10.0)
    monkeypatch.setattr(lite, "_LONG_S", 60.0)


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Keep the shapes of what was not called by it."""
    shapes: list[tuple[int, ...]] = []
    stock = lite.LiteCall.invoke

    def noted(self: Any, values: Any) -> Any:
        if (found := stock(self, values)) is None:
            shapes.append(values[0].shape)
        return found

    monkeypatch.setattr(lite.LiteCall, "invoke", noted)
    return shapes


def dense(activation: str = "relu") -> Any:
    """Return a graph of two layers, and an operation that trains."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5))
        b = v1.get_variable("b", initializer=np.full(5, 0.5, np.float32))
        getattr(tf.nn, activation)(x @ w + b, name="y")
        tf.identity(v1.assign_add(b, np.ones(5, np.float32)), name="train")
    return graph


def warm(source: Any = None, **options: Any) -> Model:
    return models.add("net", dense() if source is None else source, outputs="y", warm=True, **options)


def way(model: Model) -> str:
    return str(model.record()["prepared"][0]["way"])


def by_hand(model: Model, x: Any) -> Any:
    return session.run(model.graph.get_tensor_by_name("y:0"), {model.graph.get_tensor_by_name("x:0"): x})


def rows(count: int) -> Any:
    return RANDOM.normal(size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "sigmoid", "softmax", "elu", "leaky_relu"])
def test_it_answers_as_the_session_does(activation: str) -> None:
    model = warm(dense(activation))
    assert way(model) == LITE
    for count in (1, 1, 2, 3, 3, 1000, 1000, 1):
        x = rows(count)
        np.testing.assert_allclose(model(x), by_hand(model, x), rtol=1e-5, atol=1e-6)


def test_a_model_that_was_called_before_is_warmed_as_a_new_one_is() -> None:
    graph = dense()
    model = models.add("net", graph, outputs="y")
    x = rows(2)
    for _ in range(100):
        before = model(x)
    assert way(model) != LITE
    models.add("net", graph, outputs="y", warm=True)
    assert way(model) == LITE
    np.testing.assert_allclose(model(x), before, rtol=1e-5, atol=1e-6)


def test_a_convolutional_network_answers_as_keras_has_it(tmp_path: Path) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            *(keras.Input([8, 8, 3]), layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()),
            *(layers.MaxPooling2D(), layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D(), layers.Dense(3)),
        ]
    )
    net.export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net", warm=True)
    assert way(model) == LITE
    x = RANDOM.normal(size=(5, 8, 8, 3)).astype(np.float32)
    for _ in range(3):
        np.testing.assert_allclose(model(x), net(x).numpy(), rtol=1e-4, atol=1e-5)


def test_a_frozen_graph_is_called_so_too(tmp_path: Path) -> None:
    model = models.add("net", dense(), outputs="y")
    x, path = rows(2), tmp_path / "net.pb"
    expected = model(x)
    model.save(path)
    frozen = models.add("frozen", path, warm=True)
    assert way(frozen) == LITE
    np.testing.assert_allclose(frozen(x), expected, rtol=1e-5)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_gets_the_sessions_answer(odd: float) -> None:
    model = warm()
    # Of about the size that was tried, and from the second call on of the shape of the one before.
    x = rows(70)
    x[1, 2] = odd
    for _ in range(3):
        np.testing.assert_allclose(model(x), by_hand(model, x), rtol=1e-5, atol=1e-6)


def test_nothing_at_all_gets_the_sessions_answer() -> None:
    model = warm()
    for _ in range(3):
        assert model(rows(0)).shape == (0, 5)


def test_shapes_that_change_from_call_to_call_are_passed_on(passed_on: list[tuple[int, ...]]) -> None:
    model = warm()
    del passed_on[:]
    # Of about the size that was tried.
    for count in (70, 90, 70, 90):
        model(rows(count))
    assert passed_on == [(70, 4), (90, 4), (70, 4), (90, 4)]
    for _ in range(3):
        model(rows(110))
    assert passed_on[4:] == [(110, 4)]


def test_what_takes_long_is_left_to_what_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch, passed_on: list[tuple[int, ...]]
) -> None:
    model = warm()
    model(rows(64))
    model(rows(64))
    monkeypatch.setattr(lite, "_LONG_S", 0.0)
    model(rows(64))
    monkeypatch.setattr(lite, "_LONG_S", 60.0)
    del passed_on[:]
    for count in (64, 64, 100, 100, 40, 40):
        model(rows(count))
    assert passed_on == [(64, 4), (64, 4), (100, 4), (100, 4)]
    assert way(model) == LITE


def test_threads_that_call_at_once_each_get_their_answer() -> None:
    model = warm()
    wrong: list[int] = []

    def call(seed: int) -> None:
        x = np.full((2, 4), seed, np.float32)
        expected = by_hand(model, x)
        wrong.extend(1 for _ in range(300) if not np.allclose(model(x), expected, rtol=1e-5))

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_model_that_was_trained_is_not_served_from_it() -> None:
    model = warm()
    x = rows(2)
    before = model(x)
    assert way(model) == LITE
    session.run(model.graph.get_operation_by_name("train"))
    assert not np.allclose(model(x), before)
    np.testing.assert_array_equal(model(x), by_hand(model, x))
    assert way(model) != LITE
    assert model.record()["folded_bytes"] == 0


def test_it_counts_and_goes_with_park() -> None:
    model = warm()
    weights = (4 * 5 + 5) * 4
    assert model.record()["folded_bytes"] >= 2 * weights
    model.park()
    assert model.record()["folded_bytes"] == 0
    x = rows(2)
    np.testing.assert_allclose(model(x), by_hand(model, x), rtol=1e-5)


def test_it_is_said_in_show() -> None:
    page = ModelPage(warm().record(), []).text()
    assert re.search(r"is run +by TensorFlow Lite \(", page)


def other_operation() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        tf.math.erf(x * v1.get_variable("w", initializer=2.0), name="y")
    return graph


def whole_numbers() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.int32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.ones((4, 5), np.float32))
        tf.matmul(tf.cast(x, tf.float32), w, name="y")
    return graph


def elsewhere() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.ones((4, 5), np.float32))
        with tf.device("/GPU:0"):
            tf.matmul(x, w, name="y")
    return graph


@pytest.mark.parametrize("source", [other_operation, whole_numbers, elsewhere])
def test_a_graph_that_it_may_not_know_is_called_otherwise(source: Any) -> None:
    assert way(warm(source())) != LITE


def test_what_takes_long_from_the_first_call_on_is_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmagic.runtime.calls.prepared_call._LONG_S", 0.0)
    assert way(warm()) != LITE


def test_who_has_chosen_an_executor_gets_that() -> None:
    model = warm(executor="caller")
    assert set(model.record()["prepared"][0]["latencies_s"]) <= {"caller", "folded"}


@pytest.mark.parametrize("version", ["2.16.2", "2.17.1", "2.18.0", "2.99.0"])
def test_it_is_not_used_where_it_is_not_known_to_be_sound(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf, "__version__", version)
    # None is what makes an import fail.
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setattr(tf.lite, "Interpreter", None)
    model = warm()
    assert way(model) != LITE
    assert "(pip install ai-edge-litert)" in ModelPage(model.record()).text()
    assert model(rows(2)).shape == (2, 5)


@pytest.mark.parametrize("version", ["2.18.0", tf.__version__])
def test_the_interpreter_of_a_package_of_its_own_comes_first(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, made = tf.lite.Interpreter, list[dict[str, Any]]()

    def interpreter(**options: Any) -> Any:
        made.append(options)
        return sound(**options)

    package = types.ModuleType("ai_edge_litert.interpreter")
    package.Interpreter = interpreter  # type: ignore[attr-defined]  # as the package has it
    monkeypatch.setitem(sys.modules, "ai_edge_litert", types.ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", package)
    monkeypatch.setattr(tf, "__version__", version)
    model = warm()
    assert way(model) == LITE
    assert made
    assert "ai-edge-litert" not in ModelPage(model.record()).text()
    np.testing.assert_allclose(model(x := rows(2)), by_hand(model, x), rtol=1e-5)


def test_where_tensorflow_has_no_lite_calls_are_made_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> bytes:
        msg = "module 'tensorflow' has no attribute 'lite'"
        raise AttributeError(msg)

    monkeypatch.setattr(lite, "_converted", gone)
    model = warm()
    assert way(model) != LITE
    assert model(rows(2)).shape == (2, 5)


def test_a_network_that_answers_otherwise_there_is_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = lite.LiteCall.invoke
    monkeypatch.setattr(
        lite.LiteCall,
        "invoke",
        lambda self, values: None if (found := stock(self, values)) is None else [one * 1.01 for one in found],
    )
    assert way(warm()) != LITE


def test_a_graph_that_takes_one_row_only_can_be_warmed() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.ones((4, 5), np.float32))
        tf.reshape(x @ w, [1, 5], name="y")
    model = warm(graph)
    assert model(rows(1)).shape == (1, 5)


@pytest.mark.parametrize(("quick_s", "tried"), [(10.0, {1, 256}), (0.0, {1})])
def test_one_that_is_quick_is_tried_with_many_rows_when_it_is_warmed(
    quick_s: float, tried: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfmagic.runtime.calls.prepared_call._QUICK_S", quick_s)
    sizes: list[int] = []
    stock = LatencyTrial.run

    def noted(self: LatencyTrial, values: Any) -> Any:
        sizes.append(len(values[0]))
        return stock(self, values)

    monkeypatch.setattr(LatencyTrial, "run", noted)
    warm()
    assert set(sizes) == tried


@pytest.mark.parametrize(("nodes", "is_tried"), [(100, True), (6_000, False)])
def test_a_graph_whose_conversion_would_take_minutes_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, nodes: int, *, is_tried: bool
) -> None:
    tried: list[int] = []
    stock = lite._converted

    def noted(definition: Any, *names: Any) -> bytes:
        tried.append(len(definition.node))
        return stock(definition, *names)

    monkeypatch.setattr(lite, "_converted", noted)
    with tf.Graph().as_default() as graph:
        value = v1.placeholder(tf.float32, [None, 2], "x")
        for _ in range(nodes):
            value = tf.tanh(value)
        tf.identity(value, "y")
    models.add("net", graph.as_graph_def(), warm=True)
    assert bool(tried) == is_tried
