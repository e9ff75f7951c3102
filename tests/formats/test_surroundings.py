"""Sources are read the same whatever surrounds the call: a graph, a session, a device, a policy, TF1's behaviour."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import pytest
import tensorflow as tf
from factories import printed
from keras_networks import functional, given_normalization, looked_up_words, rows, trained
from reference_keras import assert_close, eager_answer

from tfmagic import models, session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from keras_networks import Case

pytestmark = pytest.mark.slow

v1 = tf.compat.v1


@contextmanager
def another_policy() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


AROUND: dict[str, Callable[[], Any]] = {
    "a graph": lambda: tf.Graph().as_default(),
    "a session": lambda: v1.Session(graph=tf.Graph()),
    "a device that is not there": lambda: tf.device("/device:GPU:3"),
    "another policy": another_policy,
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("make", [functional, given_normalization, looked_up_words])
@pytest.mark.parametrize("form", [".keras", ".h5", "copy"])
def test_a_keras_model_answers_the_same(tmp_path: Path, make: Callable[[], Case], form: str, around: str) -> None:
    network, given = make()
    trained(network)
    expected = eager_answer(network, given)
    if form != "copy":
        network.save(tmp_path / f"net{form}")
    with AROUND[around]():
        model = models.add("net", network, copy=True) if form == "copy" else models.add("net", tmp_path / f"net{form}")
        assert_close(model.run(given).values(), expected)
        session.close()
        assert_close(model.run(given).values(), expected)
        if form == "copy":
            model.sync()
    assert_close(model.run(given).values(), expected)


@pytest.mark.parametrize("around", AROUND)
def test_a_module_is_copied_the_same(around: str) -> None:
    module = tf.Module()
    module.w = tf.Variable(3.0)
    module.f = tf.function(lambda x: x * module.w, input_signature=[tf.TensorSpec([None], name="x")])
    with AROUND[around]():
        model = models.add("net", module, copy=True)
        assert model([2.0]).tolist() == [6]
        model.sync()
    assert model([2.0]).tolist() == [6]


def test_under_the_behaviour_of_tf1(tmp_path: Path) -> None:
    network, _ = functional()
    trained(network).save(tmp_path / "net.keras")
    words, _ = looked_up_words()
    words.save(tmp_path / "words.keras")
    expected = network(rows(2, 8), training=False).numpy().tolist()
    code = """
        import sys
        import numpy as np
        import tensorflow as tf
        import keras
        live = keras.models.load_model(sys.argv[1] + "/net.keras")
        tf.compat.v1.disable_v2_behavior()
        from tfmagic import models
        x = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
        file = sys.argv[1] + "/net.keras"
        for name, source, copy in (("file", file, False), ("live", live, False), ("copy", live, True)):
            models.add(name, source, copy=copy)
            print(models[name](x).tolist())
        models.add("words", sys.argv[1] + "/words.keras")
        print(models.words(np.array([["a", "b"]], object)).shape)
    """
    *answers, shape = printed(code, str(tmp_path))[-4:]
    for answer in answers:
        for row, wanted in zip(eval(answer), expected, strict=True):  # noqa: S307 - lists of numbers
            assert row == pytest.approx(wanted, rel=1e-5)
    assert shape == "(1, 2, 3)"


def test_nothing_is_added_to_the_graph_around(tmp_path: Path) -> None:
    network, _ = functional()
    network.save(tmp_path / "net.keras")
    with tf.Graph().as_default() as graph:
        models.add("file", tmp_path / "net.keras")
        models.add("copy", network, copy=True)
        models.inspect(tmp_path / "net.keras")
    assert graph.get_operations() == []
