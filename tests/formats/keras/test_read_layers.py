"""Layers of one's own in Keras files: what they do when they are made, loaded and called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_networks import rows, saved_with, trained
from reference_keras import assert_close, assert_plain, assert_same, eager_answer

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1, 2], [3, 4], [-10, 0.5]], np.float32)


class OfThisTest(keras.layers.Layer):
    """A layer that says the shape of what it gives, so that its call is not traced before it runs."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Noisy(OfThisTest):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seed_generator)


class Counting(OfThisTest):
    def build(self, shape: Any) -> None:
        del shape
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return x + self.count


class Remembering(OfThisTest):
    """Gives the first row of the call before; what it keeps does not depend on what it kept."""

    def build(self, shape: Any) -> None:
        self.kept = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="kept")

    def call(self, x: Any) -> Any:
        before = self.kept * 1.0
        self.kept.assign(x[0])
        return x * 0.0 + before


class WithConstants(OfThisTest):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.offset = keras.ops.arange(2, dtype="float32")
        self.own = tf.constant([1.0, 2.0])

    def call(self, x: Any) -> Any:
        return x * self.own + self.offset


class WithVariable(OfThisTest):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.own = tf.Variable([1.0, 2.0])

    def call(self, x: Any) -> Any:
        return x * self.own


class Branching(OfThisTest):
    def call(self, x: Any) -> Any:
        if keras.ops.sum(x) > 0:
            return x * 2.0
        return x * 3.0


class LoadingItself(OfThisTest):
    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")
        self.extra = 0.0

    def save_own_variables(self, store: Any) -> None:
        store["w"], store["extra"] = self.w.numpy() * 10, np.array(5.0)

    def load_own_variables(self, store: Any) -> None:
        self.w.assign(store["w"][...])
        self.extra = float(np.array(store["extra"]))

    def call(self, x: Any) -> Any:
        return x * self.w + self.extra


class LoadingTwice(OfThisTest):
    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        self.w.assign(self.w * 2.0)

    def call(self, x: Any) -> Any:
        return x * self.w


class WithFinalState(OfThisTest):
    """Has the name of a method of Keras's own layers, which nothing calls when it is loaded."""

    factor = 2.0

    def finalize_state(self) -> None:
        self.factor = 7.0

    def call(self, x: Any) -> Any:
        return x * self.factor


class WithFile(OfThisTest):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.numbers = [3.0, 4.0]

    def save_assets(self, folder: str) -> None:
        np.savetxt(f"{folder}/numbers.txt", [5.0, 6.0])

    def load_assets(self, folder: str) -> None:
        self.numbers = np.loadtxt(f"{folder}/numbers.txt").tolist()

    def call(self, x: Any) -> Any:
        return x * tf.constant(self.numbers)


class Masking(OfThisTest):
    def call(self, x: Any, mask: Any = None) -> Any:
        return x if mask is None else x * tf.cast(mask, x.dtype)[..., None]


STATELESS = [
    WithConstants, WithVariable, LoadingItself, LoadingTwice, WithFinalState, WithFile
]  # fmt: skip


STATEFUL = [Noisy, Counting, Remembering]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", STATELESS)
def test_a_layer_of_ones_own_answers_as_in_keras(tmp_path: Path, kind: Any, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved_with(file, kind())
    model = models.add("net", file, objects=[kind])
    for given in (X, -X):
        assert_plain(model.run(given).values(), tmp_path / f"plain{given[0, 0]}", network, {"x": given}, 1e-5)
    answer = model(X)
    session.close()
    assert_same([model(X)], [answer])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", STATEFUL)
def test_a_layer_that_changes_its_state_does_so_at_each_call(tmp_path: Path, kind: Any, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved_with(file, kind())
    model = models.add("net", file, objects=[kind])
    given = [rows(3, 2, seed=seed) for seed in range(4)]
    expected = [eager_answer(network, {"x": one})[0] for one in given]
    first = model(given[0])
    assert_close([first, *map(model, given[1:])], expected)
    # The state is the file's again when the session is opened anew.
    session.close()
    assert_same([model(given[0])], [first])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_layer_that_branches_on_a_value_is_refused_as_keras_does(tmp_path: Path, suffix: str) -> None:
    saved_with(tmp_path / f"net{suffix}", Branching())
    said = r"net: .* cannot be made a graph \(Using a symbolic .* as a Python"
    with pytest.raises(SourceError, match=said) as caught:
        models.add("net", tmp_path / f"net{suffix}", objects=[Branching])
    assert "\n" not in str(caught.value)
    assert "keras.models.load_model" in str(caught.value)
    assert session.hosted_graphs() == []


def test_a_mask_reaches_a_layer_of_ones_own(tmp_path: Path) -> None:
    x = keras.Input((5,), dtype="int32", name="x")
    network = keras.Model(x, Masking()(keras.layers.Embedding(9, 3, mask_zero=True)(x)))
    network.save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", objects=Masking)
    given = np.array([[1, 0, 2, 0, 0]], np.int32)
    assert_same([model(given)], eager_answer(network, {"x": given}))
    assert model(given)[0, 1].tolist() == [0, 0, 0]


class Twofold(keras.Model):
    """A subclass that is built when it is first called."""

    def __init__(self, units: int = 3, **more: Any) -> None:
        super().__init__(**more)
        self.units = units
        self.dense = keras.layers.Dense(units)
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
        return self.dense(self.dropout(inputs, training=training)) * 2.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def test_a_subclass_of_model_with_what_it_was_built_for(tmp_path: Path) -> None:
    network = Twofold(3)
    network(X)
    trained(network).save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", objects=[Twofold])
    for count in (3, 5):
        given = rows(count, 2)
        assert_plain(model.run(given).values(), tmp_path / f"plain{count}", network, {"inputs": given}, 1e-5)


# -- where classes are found ---------------------------------------------------
