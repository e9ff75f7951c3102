"""Calls that are like one before: quicker, and in nothing else different."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models
from tfmagic.errors import InputError, ModelStateError

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def linear(*, dtype: Any = tf.float32) -> tuple[Any, Any]:
    """Return a graph with ``y = 2 x + 1`` for rows of three, and its output."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(dtype, [None, 3], "x")
        w = v1.get_variable("w", initializer=tf.constant(2, dtype))
        y = tf.add(x * w, tf.constant(1, dtype), name="y")
    return graph, y


def two_inputs() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        a = v1.placeholder(tf.float32, [None], "a")
        b = v1.placeholder(tf.float32, [None], "b")
        tf.subtract(a, b, name="difference")
        tf.add(a, b, name="total")
    return graph


def python_calls(call: Callable[[], object]) -> int:
    """Return how many Python functions a call enters in this thread."""
    entered = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal entered
        entered += event == "call"

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return entered


def test_a_call_like_one_before_is_not_looked_at_again() -> None:
    model = models.add("net", linear()[0])
    first = model(X)
    longer = np.concatenate([X, X])
    for _ in range(20):
        model(X)
    looked_at = python_calls(lambda: model.run({"x": X.tolist()}))
    assert python_calls(lambda: model(X)) < looked_at / 2
    assert python_calls(lambda: model(longer)) < looked_at / 2
    np.testing.assert_array_equal(model(longer)[:2], first)
    assert model.calls == 25
    assert model.last_latency_s is not None


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.int32, tf.int64, tf.complex64, tf.float16])
def test_a_hundred_calls_give_what_the_first_gave(dtype: Any) -> None:
    model = models.add("net", linear(dtype=dtype)[0])
    x = X.astype(dtype.as_numpy_dtype)
    expected = 2 * x + 1
    for _ in range(100):
        np.testing.assert_array_equal(model(x), expected)


def test_what_does_not_fit_is_told_in_words_after_many_that_did() -> None:
    model = models.add("net", linear()[0])
    for _ in range(30):
        model(X)
    with pytest.raises(InputError, match=r"net: input 'x' takes float32 \(\?, 3\), got \(2, 4\)"):
        model(np.zeros((2, 4), np.float32))
    with pytest.raises(InputError, match=r"net: input 'x' takes float32, got text"):
        model(np.array([["a", "b", "c"]]))
    with pytest.raises(InputError, match="net has no input 'z'"):
        model(z=X)
    with pytest.raises(InputError, match="net needs input 'x'"):
        model()
    np.testing.assert_array_equal(model(X), 2 * X + 1)


def test_what_has_to_be_converted_is_converted_after_many_that_had_not() -> None:
    model = models.add("net", linear()[0])
    for _ in range(30):
        model(X)
    for other in (X.astype(np.float64), X.tolist(), tf.constant(X), X.astype(">f4"), np.asfortranarray(X), X[:, ::-1]):
        np.testing.assert_array_equal(model(other), 2 * np.asarray(other, np.float32) + 1)


def test_named_inputs_and_mappings_are_never_mixed_up() -> None:
    model = models.add("net", two_inputs())
    a, b = np.array([1, 2], np.float32), np.array([10, 30], np.float32)
    for _ in range(40):
        assert model(a=a, b=b).difference.tolist() == [-9, -28]
        assert model(b=b, a=a).difference.tolist() == [-9, -28]
        assert model({"b": b, "a": a}).total.tolist() == [11, 32]
        assert model.run({"a": a, "b": b}, fetch=["total"])["total"].tolist() == [11, 32]
        assert model.run({"a": a, "b": b}, fetch="difference")["difference"].tolist() == [-9, -28]
    with pytest.raises(InputError):
        model(a)


def test_a_name_of_the_room_may_mean_another_tensor_next_time() -> None:
    graph, y = linear()
    model = models.add("net", graph)
    model.lifecycle.built_backend().room.namespace["asked"] = y
    for _ in range(20):
        np.testing.assert_array_equal(model.run(X, fetch="asked")["asked"], 2 * X + 1)
    with graph.as_default():
        model.lifecycle.built_backend().room.namespace["asked"] = y * 10
    np.testing.assert_array_equal(model.run(X, fetch="asked")["asked"], 20 * X + 10)


def test_a_dropped_model_answers_no_more_and_its_graph_goes() -> None:
    graph, _ = linear()
    model = models.add("net", graph)
    for _ in range(20):
        model(X)
    gone = weakref.ref(graph)
    del graph, _
    models.drop("net")
    with pytest.raises(ModelStateError, match="was dropped"):
        model(X)
    gc.collect()
    assert gone() is None


def test_a_parked_model_wakes_and_answers_the_same() -> None:
    model = models.add("net", linear()[0])
    for _ in range(30):
        model(X)
    model.park()
    assert model.state == "parked"
    np.testing.assert_array_equal(model(X), 2 * X + 1)
    assert model.state == "ready"


def test_an_error_of_the_graph_is_kept_as_the_last_error() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        with graph.control_dependencies([v1.assert_less(x, 5.0, message="too large")]):
            tf.identity(x, name="y")
    model = models.add("net", graph, outputs="y")
    for _ in range(30):
        model(np.array([1], np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
        model(np.array([7], np.float32))
    assert "too large" in (model.last_error or "")
    assert model(np.array([2], np.float32)).tolist() == [2]


def test_threads_that_call_at_once_each_get_their_own_answer() -> None:
    model = models.add("net", linear()[0])
    wrong: list[Any] = []

    def ask(number: int) -> None:
        x = np.full((4, 3), number, np.float32)
        wrong.extend(number for _ in range(300) if not (model(x) == 2 * number + 1).all())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert model.calls == 6 * 300
