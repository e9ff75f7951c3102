"""Keras files with classes that are not Keras's own: where they are found, and what they may do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from networks import rows, trained
from plain import assert_close, assert_plain, assert_same, eager_answer

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1, 2], [3, 4], [-10, 0.5]], np.float32)


class OfThisTest(keras.layers.Layer):
    """A layer that says the shape of what it gives, so that its call is not traced before it runs."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class Scaled(OfThisTest):
    def __init__(self, factor: float = 2.0, **more: Any) -> None:
        super().__init__(**more)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


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
    Scaled, WithConstants, WithVariable, LoadingItself, LoadingTwice, WithFinalState, WithFile
]  # fmt: skip
STATEFUL = [Noisy, Counting, Remembering]


def saved(file: Path, layer: Any) -> Any:
    """Write a model with one layer of a class of the test's own, and return what Keras loads."""
    x = keras.Input((2,), name="x")
    trained(keras.Model(x, keras.layers.Dense(2, name="dense")(layer(x)))).save(file)
    return keras.models.load_model(file, custom_objects={type(layer).__name__: type(layer)}, compile=False)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kind", STATELESS)
def test_a_layer_of_ones_own_answers_as_in_keras(tmp_path: Path, kind: Any, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved(file, kind())
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
    network = saved(file, kind())
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
    saved(tmp_path / f"net{suffix}", Branching())
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


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_an_unknown_class_is_named_with_what_to_say(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    saved(file, Scaled(3.0))
    with pytest.raises(SourceError, match=r"net: .* needs 'Scaled', which is no part of Keras: .* --objects") as caught:
        models.add("net", file)
    assert "\n" not in str(caught.value)
    said = r"needs 'Scaled', which is no part of Keras: --objects has Scalled \(did you"
    with pytest.raises(SourceError, match=said):
        models.add("net", file, objects={"Scalled": Scaled})
    assert len(models) == 0
    assert session.hosted_graphs() == []


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("objects", [{"Scaled": Scaled}, [Scaled], (Scaled,), {Scaled}, Scaled, [Noisy, Scaled]])
def test_classes_are_given_by_name_or_as_they_are(tmp_path: Path, objects: Any, suffix: str) -> None:
    saved(tmp_path / f"net{suffix}", Scaled(3.0))
    models.add("net", tmp_path / f"net{suffix}", objects=objects)


@pytest.mark.parametrize("objects", [[], 3, [3], ["Scaled"]])
def test_objects_that_have_no_names_are_refused(tmp_path: Path, objects: Any) -> None:
    saved(tmp_path / "net.keras", Scaled(3.0))
    with pytest.raises(SourceError, match=r"--objects takes the classes of a Keras file, as \[MyLayer\]"):
        models.add("net", tmp_path / "net.keras", objects=objects)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_notebooks_own_classes_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved(file, Scaled(3.0))
    monkeypatch.setattr(sys.modules["__main__"], "Scaled", Scaled, raising=False)
    answer = models.add("net", file)(X)
    assert_close([answer], eager_answer(network, {"x": X}))
    assert models.add("net", file) is models.net


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_class_that_was_defined_again_renews_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = tmp_path / f"net{suffix}"
    saved(file, Scaled(3.0))
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "Scaled", Scaled, raising=False)
    first = models.add("net", file)
    answer = first(X)
    # Its module and name are those of the first, as in a cell that is run again.
    again = type("Scaled", (Scaled,), {"call": lambda self, x: x * self.factor * 2.0})
    monkeypatch.setattr(main, "Scaled", again)
    second = models.add("net", file)
    assert second is not first
    assert not np.allclose(second(X), answer)
    monkeypatch.setattr(main, "other", 5, raising=False)
    assert models.add("net", file) is second


def test_given_classes_that_change_renew_the_model(tmp_path: Path) -> None:
    saved(tmp_path / "net.keras", Scaled(3.0))
    first = models.add("net", tmp_path / "net.keras", objects=[Scaled])
    assert models.add("net", tmp_path / "net.keras", objects={"Scaled": Scaled}) is first
    again = type("Scaled", (Scaled,), {})
    assert models.add("net", tmp_path / "net.keras", objects=[again]) is not first


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_given_class_goes_before_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved(file, Scaled(3.0))
    monkeypatch.setattr(sys.modules["__main__"], "Scaled", int, raising=False)
    assert_close([models.add("net", file, objects=[Scaled])(X)], eager_answer(network, {"x": X}))


@pytest.mark.parametrize("package", [None, "Mine"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_registered_class_is_found(tmp_path: Path, package: str | None, suffix: str) -> None:
    name = f"Registered{package}{suffix[1:]}"
    made = type(name, (Scaled,), {})
    (keras.saving.register_keras_serializable() if package is None else
     keras.saving.register_keras_serializable(package))(made)  # fmt: skip
    network = saved(tmp_path / f"net{suffix}", made(3.0))
    assert_close([models.add("net", tmp_path / f"net{suffix}")(X)], eager_answer(network, {"x": X}))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_registered_class_of_another_process_is_found_by_its_name(tmp_path: Path, suffix: str) -> None:
    made = type("Foreign", (Scaled,), {})
    keras.saving.register_keras_serializable("Theirs")(made)
    network = saved(tmp_path / f"net{suffix}", made(3.0))
    custom = keras.saving.get_custom_objects()
    del custom["Theirs>Foreign"]
    with pytest.raises(SourceError, match="needs 'Foreign'"):
        models.add("net", tmp_path / f"net{suffix}")
    assert_close([models.add("net", tmp_path / f"net{suffix}", objects=[made])(X)], eager_answer(network, {"x": X}))


def swish_of_ones_own(x: Any) -> Any:
    return x * keras.ops.sigmoid(2.0 * x)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_an_activation_function_of_ones_own(tmp_path: Path, suffix: str) -> None:
    x = keras.Input((2,), name="x")
    file = tmp_path / f"net{suffix}"
    network = keras.Model(x, keras.layers.Dense(2, activation=swish_of_ones_own)(x))
    network.save(file)
    with pytest.raises(SourceError, match=r"net: .*needs 'swish_of_ones_own', .*--objects") as caught:
        models.add("net", file)
    assert "\n" not in str(caught.value)
    answer = models.add("net", file, objects=swish_of_ones_own)(X)
    assert_plain([answer], tmp_path / "plain", network, {"x": X}, 1e-5)
