"""Keras files: what they answer, to the last bit, and what comes and goes with them.

The reference is the same model loaded by Keras, and called, or run in a session of
TensorFlow's (see ``plain.assert_plain``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import run_cell
from keras_networks import DRAWN, TABLES, WHOLE, functional, input_as_output, shared_layer, trained
from reference_keras import assert_close, assert_plain, assert_same, eager_answer

from tfmagic import models, session
from tfmagic.formats.keras.read import KerasFileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

# Keras itself writes an .h5 file of these that it cannot read.
ONLY_KERAS = {
    "attention", "brain_half", "inverted_normalization", "masked", "operations", "scalars", "stateful", "truth"
}  # fmt: skip
# Of half the digits, another order of adding changes much.
COARSE = {"mixed_precision", "half", "brain_half"}


def saved(make: Callable[[], Any], file: Path) -> tuple[Any, dict[str, Any]]:
    """Return the model that Keras reads back, and inputs for it."""
    network, given = make()
    trained(network).save(file)
    return keras.models.load_model(file, compile=False), given


KINDS = [
    (one.__name__, suffix)
    for one in (*DRAWN, input_as_output)
    for suffix in (".keras", ".h5")
    if suffix == ".keras" or one.__name__ not in ONLY_KERAS
]
BY_NAME = {one.__name__: one for one in (*DRAWN, *WHOLE, *TABLES, input_as_output)}


@pytest.fixture
def no_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a file is read as a whole object."""

    def fail(*_: Any) -> Any:
        msg = "it was made whole"
        raise AssertionError(msg)

    monkeypatch.setattr(KerasFileSource, "_through_an_object", fail)


@pytest.mark.usefixtures("no_object")
@pytest.mark.parametrize(("kind", "suffix"), KINDS)
def test_it_answers_as_the_model_that_keras_loads(tmp_path: Path, kind: str, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network, given = saved(BY_NAME[kind], file)
    model = models.add("net", file)
    answer = list(model.run(given).values())
    assert_plain(answer, tmp_path / "plain", network, given, 0.05 if kind in COARSE else 1e-5)
    assert model.mode == "graph"
    assert [str(end) for end in model.signature().inputs] == [
        str(end) for end in models.add("live", network).signature().inputs
    ]
    session.close()
    assert_same(model.run(given).values(), answer)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *((one.__name__, ".keras") for one in (*WHOLE, *TABLES)),
        ("given_normalization", ".h5"),
        ("looked_up_words", ".h5"),
        ("looked_up_numbers", ".h5"),
    ],
)
def test_what_cannot_be_drawn_answers_the_same(tmp_path: Path, kind: str, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network, given = saved(BY_NAME[kind], file)
    model = models.add("net", file)
    answer = list(model.run(given).values())
    assert_plain(answer, tmp_path / "plain", network, given, 1e-5)
    session.close()
    assert_same(model.run(given).values(), answer)
    file.unlink()
    session.close()
    assert_same(model.run(given).values(), answer)


def test_a_state_that_calls_change_goes_on(tmp_path: Path) -> None:
    network, given = saved(BY_NAME["stateful"], tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras")
    expected = [eager_answer(network, given)[0] for _ in range(3)]
    for one in expected:
        assert_close(model.run(given).values(), [one])
    assert not np.allclose(expected[0], expected[1])


def test_shared_weights_are_one_variable(tmp_path: Path) -> None:
    saved(shared_layer, tmp_path / "net.keras")
    assert models.add("net", tmp_path / "net.keras").record()["variables"] == 2


def test_two_files_with_the_same_names_share_nothing(tmp_path: Path) -> None:
    x = keras.Input((2,), name="x")
    network = keras.Model(x, keras.layers.Dense(2, name="same")(x))
    for at in (1, 2):
        network.set_weights([np.full((2, 2), at, np.float32), np.zeros(2, np.float32)])
        network.save(tmp_path / f"{at}.keras")
        models.add(f"net{at}", tmp_path / f"{at}.keras")
    one = np.ones((1, 2), np.float32)
    assert [models[name](one).tolist() for name in ("net1", "net2")] == [[[2, 2]], [[4, 4]]]
    session.close()
    assert [models[name](one).tolist() for name in ("net2", "net1")] == [[[4, 4]], [[2, 2]]]


def test_the_room_has_the_ends_and_can_train(tmp_path: Path) -> None:
    network, given = saved(functional, tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", outputs=f"y={network.output_names[0]}")
    before = model(given)
    code = """
        step = tf.compat.v1.train.GradientDescentOptimizer(1.0).minimize(tf.reduce_mean(y ** 2))
        for _ in range(3):
            session.run(step, {x: given})
        len(tf.compat.v1.trainable_variables())
    """
    assert run_cell(model, code, {"tf": tf, "given": given["x"]}) == 4
    assert not np.allclose(model(given), before)
    assert_close([network(given["x"], training=False).numpy()], [before])


@pytest.mark.parametrize(("written", "renamed"), [("net.h5", "other.keras"), ("net.keras", "other.h5")])
@pytest.mark.parametrize("kind", [DRAWN[0].__name__, "given_normalization"])
def test_the_bytes_tell_the_kind_of_a_file_whatever_it_is_called(
    tmp_path: Path, kind: str, written: str, renamed: str
) -> None:
    file = tmp_path / written
    network, given = saved(BY_NAME[kind], file)
    model = models.add("net", file.rename(tmp_path / renamed))
    assert_plain(list(model.run(given).values()), tmp_path / "plain", network, given, 1e-5)
