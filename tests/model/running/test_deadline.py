"""``timeout``: back at the deadline with a clear error, and the model usable or stopping."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph, v1

from tfmagic import models
from tfmagic.errors import InputError, ModelStateError, RunTimeoutError
from tfmagic.runtime.session.hosted_graph import hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Lets a held operation end."""
    event = threading.Event()
    yield event
    event.set()


def warmed(model: Any, go: threading.Event, value: Any) -> Any:
    """Run a model once, so that the next call reaches its held operation at once."""
    go.set()
    model.run(value)
    go.clear()
    return model


def held(go: threading.Event) -> Any:
    """Return a graph model of which one operation lasts until `go` is set."""

    def hold(x: Any) -> Any:
        go.wait(30)
        return x

    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        y = v1.py_func(hold, [x], tf.float32)
        y.set_shape([None])
        tf.identity(y + 1.0, name="y")
    return warmed(models.add("held", graph, inputs="x", outputs="y"), go, [0.0])


def stuck() -> Any:
    """Return a graph model that waits for what never comes, but can be cancelled."""
    graph = tf.Graph()
    with graph.as_default():
        v1.placeholder_with_default(0.0, [], "x")
        tf.queue.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="y")
    return models.add("stuck", graph, inputs="x", outputs="y")


def until_ready(model: Any) -> None:
    end = time.monotonic() + 20
    while model.state != "ready":
        assert time.monotonic() < end, model.state
        time.sleep(0.01)


def test_a_run_in_time_gives_its_result() -> None:
    graph, _, _ = scale_graph(2.0)
    net = models.add("net", graph)
    np.testing.assert_array_equal(net.run([1.0, 2.0], timeout=60)["y"], [2, 4])


def test_a_run_that_tensorflow_can_cancel_ends_at_the_deadline_and_the_model_is_usable() -> None:
    model = stuck()
    began = time.monotonic()
    with pytest.raises(RunTimeoutError) as late:
        model.run(fetch="y", timeout=0.5)
    assert 0.4 < time.monotonic() - began < 15
    assert str(late.value) == "stuck: no answer within 0.5 s; the run has ended, and the model can be run again"
    assert isinstance(late.value, TimeoutError)
    assert model.state == "ready"
    assert model.run(fetch="x")["x"] == 0


def test_a_single_operation_goes_on_and_the_model_is_stopping_until_it_ends(go: threading.Event) -> None:
    model = held(go)
    began = time.monotonic()
    with pytest.raises(RunTimeoutError) as late:
        model.run([1.0], timeout=0.3)
    assert time.monotonic() - began < 15
    assert str(late.value) == (
        "held: no answer within 0.3 s; held is stopping until the present operation ends "
        "(%tf_model stop held waits for it)"
    )
    assert model.state == "stopping"
    with pytest.raises(ModelStateError, match="still stopping"):
        model.run([1.0])
    go.set()
    until_ready(model)
    np.testing.assert_array_equal(model.run([1.0])["y"], [2])


def test_other_models_run_meanwhile(go: threading.Event) -> None:
    model = held(go)
    graph, _, _ = scale_graph(2.0)
    other = models.add("other", graph)
    with pytest.raises(RunTimeoutError):
        model.run([1.0], timeout=0.2)
    np.testing.assert_array_equal(other([3.0]), [6])


def test_an_eager_model_is_back_at_the_deadline_too(go: threading.Event) -> None:
    def hold(x: Any) -> Any:
        go.wait(30)
        return x

    model = models.add("net", tf.function(lambda x: tf.numpy_function(hold, [x], tf.float32)))
    warmed(model, go, np.float32(0))
    began = time.monotonic()
    with pytest.raises(RunTimeoutError, match=r"net: no answer within 0\.3 s; net is stopping until"):
        model.run(np.float32(1), timeout=0.3)
    assert time.monotonic() - began < 15
    assert model.state == "stopping"
    go.set()
    until_ready(model)
    assert list(model.run(np.float32(1)).values()) == [1]


def test_a_model_that_is_still_loading_at_the_deadline_says_so(go: threading.Event) -> None:
    def traced_slowly(x: Any) -> Any:
        go.wait(30)
        return {"y": 2.0 * x}

    function = tf.function(traced_slowly, input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    model = models.add("net", function, lazy=True)
    with pytest.raises(RunTimeoutError, match=r"net: no answer within 0\.2 s; net is still loading"):
        model.run([1.0], timeout=0.2)
    go.set()
    np.testing.assert_array_equal(model.run([1.0], timeout=60)["y"], [2])
    # The abandoned call has not been made once loading had ended.
    assert model.record()["calls"] == 1


def test_batches_share_one_deadline_and_the_error_has_those_that_ended(go: threading.Event) -> None:
    seen = 0

    def hold(x: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            go.wait(30)
        return x

    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        y = v1.py_func(hold, [x], tf.float32)
        y.set_shape([None])
        tf.identity(y + 1.0, name="y")
    model = models.add("net", graph, inputs="x", outputs="y")
    with pytest.raises(
        RunTimeoutError, match=r"net: no answer within 2 s; .* \(it came after rows 0 to 5 of 9\)"
    ) as late:
        model.run(np.arange(9), batch_size=3, timeout=2)
    assert late.value.rows == "rows 0 to 5 of 9"
    assert late.value.partial is not None
    np.testing.assert_array_equal(late.value.partial["y"], np.arange(6) + 1)


def test_a_timeout_of_the_models_own_code_is_its_own_error() -> None:
    @tf.function(autograph=False)
    def fail(x: Any) -> Any:
        if x.shape[0] == 2:
            msg = "the database does not answer"
            raise TimeoutError(msg)
        return x

    model = models.add("net", fail)
    model.run(np.ones(1, np.float32), timeout=60)
    # It is traced once more, for two rows.
    with pytest.raises(TimeoutError, match="the database does not answer") as failed:
        model.run(np.ones(2, np.float32), timeout=60)
    assert type(failed.value) is TimeoutError


def test_what_waits_for_the_variables_to_be_filled_does_not_begin_after_the_deadline(go: threading.Event) -> None:
    graph = tf.Graph()
    with graph.as_default():
        w = v1.get_variable("w", initializer=1.0)
        with tf.control_dependencies([w.assign_add(1.0, read_value=False)]):
            tf.identity(w.read_value(), name="stepped")
        tf.identity(v1.placeholder(tf.float32, [], "x"), name="y")
    model = models.add("net", graph, inputs="x", outputs="y")
    fill = hosted(graph).fill
    assert fill is not None

    def slowly(native: Any) -> None:
        go.wait(30)
        fill(native)

    hosted(graph).fill = slowly
    hosted(graph).close()
    with pytest.raises(RunTimeoutError):
        model.run(fetch="stepped", timeout=0.3)
    go.set()
    until_ready(model)
    assert model.run(fetch="w")["w"] == 1
    hosted(graph).fill = fill


@pytest.mark.parametrize("timeout", [0, -1, "soon", float("nan"), float("inf"), True])
def test_an_impossible_timeout_is_refused_before_anything_runs(timeout: Any) -> None:
    graph, _, _ = scale_graph(2.0)
    net = models.add("net", graph)
    with pytest.raises(InputError, match="timeout takes a number of seconds above 0"):
        net.run([1.0], timeout=timeout)
    assert net.record()["calls"] == 0
