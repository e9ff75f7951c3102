"""Keras files that carry Python code, and a Keras that does not run on TensorFlow."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from factories import refused
from keras.src.saving import serialization_lib
from keras_networks import functional, rows

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


def naming(file: Path, module: str, name: str) -> Path:
    """Write a model with one layer more, which is a function of a module."""
    functional()[0].save(file)
    with zipfile.ZipFile(file) as stored:
        members = {one: stored.read(one) for one in stored.namelist()}
    config = json.loads(members["config.json"])
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name, "name": "more"}
    config["config"]["layers"].append({**function, "inbound_nodes": [{"args": [3], "kwargs": {}}]})
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as changed:
        for member, content in members.items():
            changed.writestr(member, content)
    return file


@pytest.fixture
def keras_imports_what_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Keras import what a file names, and call it, as Keras before 3.9 does."""
    stock = serialization_lib._retrieve_class_or_fn

    def found(name: str, registered_name: str, module: str, *more: Any, **named: Any) -> Any:
        if module.split(".", maxsplit=1)[0] in {"keras", "builtins", "__main__"}:
            return stock(name, registered_name, module, *more, **named)
        return vars(importlib.import_module(module))[name]

    monkeypatch.setattr(serialization_lib, "_retrieve_class_or_fn", found)


@pytest.mark.usefixtures("keras_imports_what_is_named")
def test_a_module_that_a_file_names_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_module.py").write_text("from math import exp")
    monkeypatch.syspath_prepend(tmp_path)
    file = naming(tmp_path / "net.keras", "strange_module", "exp")
    said = r"net: .* needs 'exp', which is no part of Keras: run the cell that defines it first, or give it with --obj"
    with pytest.raises(SourceError, match=said):
        models.add("net", file)
    models.inspect(file)
    assert "strange_module" not in sys.modules


@pytest.mark.usefixtures("keras_imports_what_is_named")
def test_where_keras_imports_what_is_named_its_own_functions_and_those_given_are_no_strangers(tmp_path: Path) -> None:
    x = keras.Input((2,), name="x")
    network = keras.Model(
        x, keras.layers.Dense(2, activation=keras.ops.silu)(keras.layers.Dense(2, activation=twice)(x))
    )
    network.save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", objects=[twice])
    np.testing.assert_allclose(model(rows(3, 2)), network(rows(3, 2)), rtol=1e-5)


def twice(x: Any) -> Any:
    return 2 * x


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
