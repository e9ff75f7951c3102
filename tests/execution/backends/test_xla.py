"""``--compile``: XLA's machine code gives the same answers, follows the variables, and refuses with words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import save_v2

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def dense() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2))
        tf.nn.softmax(tf.tanh(x @ w), name="y")
        tf.identity(v1.assign_add(w, tf.ones([4, 2])), name="train")
    return graph


def test_a_compiled_model_answers_as_it_does_without_and_says_how_long_it_took() -> None:
    plain = models.add("plain", dense(), outputs="y")
    model = models.add("net", dense(), outputs="y", compile=True)
    assert any(note.startswith("compiled with its first run in ") for note in model.record()["notes"])
    assert model.record()["calls"] == 0
    assert any(op.type == "StatefulPartitionedCall" for op in model.graph.get_operations())
    for rows in (1, 3, 3, 8):
        x = np.resize(X, (rows, 4))
        for _ in range(10):
            np.testing.assert_allclose(model(x), plain(x), rtol=1e-5)
    np.testing.assert_allclose(model.run(X, fetch="Tanh")["Tanh"], plain.run(X, fetch="Tanh")["Tanh"], rtol=1e-5)


def test_what_is_trained_is_what_it_answers_with() -> None:
    plain = models.add("plain", dense(), outputs="y")
    model = models.add("net", dense(), outputs="y", compile=True)
    for _ in range(40):
        model(X)
    for one in (plain, model):
        session.run(one.graph.get_tensor_by_name("train:0"))
    np.testing.assert_allclose(model(X), plain(X), rtol=1e-5)
    model.park()
    np.testing.assert_allclose(model(X), plain(X), rtol=1e-5)


def test_a_keras_export_is_compiled(tmp_path: Path) -> None:
    net = keras.Sequential([keras.Input([4]), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    net.export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net", compile=True, warm=True)
    np.testing.assert_allclose(model(X), net(X).numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("dtype", "reason"), [(tf.string, "XLA takes no text"), (tf.float32, "XLA has no AsString")])
def test_what_xla_cannot_take_is_said_and_nothing_is_left(dtype: Any, reason: str) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(dtype, [None], "x")
        tf.strings.length(x if dtype == tf.string else tf.strings.as_string(x), name="y")
    with pytest.raises(SourceError) as raised:
        models.add("net", graph, compile=True)
    assert str(raised.value) == f"net cannot be compiled ({reason}): add it without --compile"
    assert "net" not in models


def test_a_model_that_writes_is_compiled_at_its_first_call() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        count = v1.get_variable("count", initializer=0.0)
        tf.identity(v1.assign_add(count, x), name="y")
    model = models.add("net", graph, outputs="y", compile=True)
    assert "it is compiled at its first call" in " ".join(model.record()["notes"])
    assert [float(model(np.float32(2))) for _ in range(30)] == [2.0 * n for n in range(1, 31)]


def test_a_live_object_is_not_compiled() -> None:
    with pytest.raises(SourceError, match="net is a live object, which runs as it is: --compile is for a --copy"):
        models.add("net", keras.Sequential([keras.Input([4]), keras.layers.Dense(3)]), compile=True)


def test_a_saved_compiled_model_has_nothing_of_it(tmp_path: Path) -> None:
    model = models.add("net", dense(), outputs="y", compile=True)
    model.save(tmp_path / "net.pb")
    again = models.add("again", tmp_path / "net.pb")
    np.testing.assert_allclose(again(X), model(X), rtol=1e-5)
    assert not any(op.name.startswith("tfmagic_compiled") for op in again.graph.get_operations())


def looping(x: Any, w: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ w)), [0, x])[1]


def branching(x: Any, w: Any) -> Any:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x @ w, lambda: x - 1)


@pytest.mark.parametrize("build", [looping, branching])
def test_loops_and_branches_are_compiled(build: Any, tmp_path: Path) -> None:
    w = tf.Variable(np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4))
    spec = tf.TensorSpec([None, 4], tf.float32, name="x")
    folder = save_v2(tmp_path / "net", lambda x: {"y": build(x, w)}, spec, w=w)
    plain, model = models.add("plain", folder), models.add("net", folder, compile=True)
    for x in (X, -X, np.resize(X, (1, 4))):
        np.testing.assert_allclose(model(x), plain(x), rtol=1e-5)


def test_a_recurrent_network_is_compiled() -> None:
    net = keras.Sequential([keras.Input([5, 4]), keras.layers.LSTM(3)])
    x = np.stack([X, X, X, X, X], axis=1)
    model = models.add("net", net, copy=True, compile=True)
    np.testing.assert_allclose(model(x), net(x).numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(models.add("plain", net, copy=True)(x), net(x).numpy(), rtol=1e-4, atol=1e-6)
