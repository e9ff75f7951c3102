"""Keras files that carry Python code, and a Keras that does not run on TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from making import refused
from networks import functional, rows

from tfmagic import models, session
from tfmagic.errors import SourceError, UnsafeSourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def with_code(file: Path) -> Path:
    x = keras.Input((2,), name="x")
    y = keras.layers.Lambda(lambda v: v * 3.0 + 1.0, output_shape=(2,))(x)
    keras.Model(x, y).save(file)
    return file


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_needs_unsafe(tmp_path: Path, suffix: str) -> None:
    file = with_code(tmp_path / f"net{suffix}")
    with pytest.raises(UnsafeSourceError, match=r"carries Python code \(a Lambda layer\) .*--unsafe"):
        models.add("net", file)
    refused(file, "carries Python code")
    model = models.add("net", file, unsafe=True)
    assert model([[1.0, 2.0]]).tolist() == [[4, 7]]
    session.close()
    assert model([[1.0, 2.0]]).tolist() == [[4, 7]]
    with pytest.raises(UnsafeSourceError):
        models.add("net", file)
    assert model([[1.0, 2.0]]).tolist() == [[4, 7]]


def in_a_wrapper(x: Any) -> Any:
    return keras.layers.TimeDistributed(keras.layers.Lambda(lambda v: v * 2.0, output_shape=(2,)))(x)


def in_a_nested_model(x: Any) -> Any:
    inside = keras.Input(x.shape[1:])
    return keras.Model(inside, keras.layers.Lambda(lambda v: v * 2.0, output_shape=x.shape[1:])(inside))(x)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("place", [in_a_wrapper, in_a_nested_model])
def test_code_is_found_wherever_it_is(tmp_path: Path, place: Callable[[Any], Any], suffix: str) -> None:
    x = keras.Input((3, 2), name="x")
    file = tmp_path / f"net{suffix}"
    network = keras.Model(x, place(x))
    network.save(file)
    refused(file, "carries Python code")
    answer = models.add("net", file, unsafe=True)(rows(2, 3, 2))
    np.testing.assert_allclose(answer, network(rows(2, 3, 2)), rtol=1e-5)


# -- damage at random --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "live"])
def test_a_keras_on_another_backend_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    file = tmp_path / "net.keras"
    functional()[0].save(file)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(SourceError, match=r"net: Keras runs on torch here, .* set KERAS_BACKEND=tensorflow before"):
        models.add("net", file if kind == "file" else keras.layers.Dense(1))
