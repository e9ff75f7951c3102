"""Classes of one's own that a Keras file asks for: where they are found, and what is said where they are not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from keras_networks import saved_with
from reference_keras import assert_close, assert_plain, eager_answer

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1, 2], [3, 4], [-10, 0.5]], np.float32)


class Scaled(keras.layers.Layer):
    def __init__(self, factor: float = 2.0, **more: Any) -> None:
        super().__init__(**more)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_an_unknown_class_is_named_with_what_to_say(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    saved_with(file, Scaled(3.0))
    with pytest.raises(SourceError, match=r"net: .* needs 'Scaled', which is no part of Keras: .* --objects") as caught:
        models.add("net", file)
    assert "\n" not in str(caught.value)
    said = r"needs 'Scaled', which is no part of Keras: --objects has Scalled \(did you"
    with pytest.raises(SourceError, match=said):
        models.add("net", file, objects={"Scalled": Scaled})
    assert len(models) == 0
    assert session.hosted_graphs() == []


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("objects", [{"Scaled": Scaled}, [Scaled], (Scaled,), {Scaled}, Scaled, [int, Scaled]])
def test_classes_are_given_by_name_or_as_they_are(tmp_path: Path, objects: Any, suffix: str) -> None:
    network = saved_with(tmp_path / f"net{suffix}", Scaled(3.0))
    answer = models.add("net", tmp_path / f"net{suffix}", objects=objects)(X)
    assert_close([answer], eager_answer(network, {"x": X}))


@pytest.mark.parametrize("objects", [[], 3, [3], ["Scaled"]])
def test_objects_that_have_no_names_are_refused(tmp_path: Path, objects: Any) -> None:
    saved_with(tmp_path / "net.keras", Scaled(3.0))
    with pytest.raises(SourceError, match=r"--objects takes the classes of a Keras file, as \[MyLayer\]"):
        models.add("net", tmp_path / "net.keras", objects=objects)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_the_notebooks_own_classes_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved_with(file, Scaled(3.0))
    monkeypatch.setattr(sys.modules["__main__"], "Scaled", Scaled, raising=False)
    answer = models.add("net", file)(X)
    assert_close([answer], eager_answer(network, {"x": X}))
    assert models.add("net", file) is models.net


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_class_that_was_defined_again_renews_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = tmp_path / f"net{suffix}"
    saved_with(file, Scaled(3.0))
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
    saved_with(tmp_path / "net.keras", Scaled(3.0))
    first = models.add("net", tmp_path / "net.keras", objects=[Scaled])
    assert models.add("net", tmp_path / "net.keras", objects={"Scaled": Scaled}) is first
    again = type("Scaled", (Scaled,), {})
    assert models.add("net", tmp_path / "net.keras", objects=[again]) is not first


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_given_class_goes_before_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    file = tmp_path / f"net{suffix}"
    network = saved_with(file, Scaled(3.0))
    monkeypatch.setattr(sys.modules["__main__"], "Scaled", int, raising=False)
    assert_close([models.add("net", file, objects=[Scaled])(X)], eager_answer(network, {"x": X}))


@pytest.mark.parametrize("package", [None, "Mine"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_registered_class_is_found(tmp_path: Path, package: str | None, suffix: str) -> None:
    name = f"Registered{package}{suffix[1:]}"
    made = type(name, (Scaled,), {})
    (keras.saving.register_keras_serializable() if package is None else
     keras.saving.register_keras_serializable(package))(made)  # fmt: skip
    network = saved_with(tmp_path / f"net{suffix}", made(3.0))
    assert_close([models.add("net", tmp_path / f"net{suffix}")(X)], eager_answer(network, {"x": X}))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_registered_class_of_another_process_is_found_by_its_name(tmp_path: Path, suffix: str) -> None:
    made = type("Foreign", (Scaled,), {})
    keras.saving.register_keras_serializable("Theirs")(made)
    network = saved_with(tmp_path / f"net{suffix}", made(3.0))
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
