"""Custom gradients are held by their graphs, and go with them."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from tfmagic.runtime.tensorflow.custom_gradients import tie_gradients_to_graphs
from tfmagic.runtime.tensorflow.private import registered_gradients

if TYPE_CHECKING:
    import pytest

v1 = tf.compat.v1


@tf.custom_gradient
def doubled(x: Any) -> Any:
    """Return twice a tensor, and call its gradient seven."""
    return 2.0 * x, lambda upstream: 7.0 * upstream


def graph_with_one() -> tuple[tf.Graph, Any, Any]:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        return graph, x, doubled(x)


def custom() -> set[str]:
    return {name for name in registered_gradients() if name.startswith("CustomGradient-")}


def test_the_registry_is_the_one_that_tensorflow_looks_into() -> None:
    before = custom()
    _graph, _x, y = graph_with_one()
    (name,) = custom() - before
    assert ops.get_gradient_function(y.op) is registered_gradients()[name]["type"]


def test_without_the_private_name_everything_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ops, "gradient_registry")
    assert registered_gradients() == {}
    assert tie_gradients_to_graphs() == 0


def test_a_graph_that_nobody_needs_goes_and_its_gradients_with_it() -> None:
    before = custom()
    graph, x, y = graph_with_one()
    gone = weakref.ref(graph)
    assert tie_gradients_to_graphs() >= 1
    assert tie_gradients_to_graphs() == 0
    assert custom() > before
    del graph, x, y
    gc.collect()
    assert gone() is None
    assert custom() <= before


def test_a_gradient_is_there_as_long_as_its_graph() -> None:
    graph, x, y = graph_with_one()
    tie_gradients_to_graphs()
    gc.collect()
    with graph.as_default(), v1.Session(graph=graph) as session:
        (gradient,) = v1.gradients(y, x)
        assert session.run(gradient, {x: 3.0}) == 7.0


def test_a_compiled_model_of_keras_trains_on_and_then_leaves() -> None:
    net = keras.Sequential([keras.Input([3]), keras.layers.Dense(4, "swish"), keras.layers.Dense(1)])
    net.compile("adam", "mse")
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    net.fit(x, y, verbose=0)
    tie_gradients_to_graphs()
    gc.collect()
    before = net.get_weights()
    net.fit(x, y, verbose=0)
    net.fit(x[:, :3], y, batch_size=3, verbose=0)
    assert any((a != b).any() for a, b in zip(before, net.get_weights(), strict=True))
    tie_gradients_to_graphs()
    handles = [weakref.ref(one.value.handle) for one in net.variables]
    del net
    gc.collect()
    assert [one for one in handles if one() is not None] == []
