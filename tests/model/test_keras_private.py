"""Every private name of Keras that the sources use, and what is used where one has gone.

A test here that fails after an update of Keras says which name has moved; the
fallback beside it says what still works then.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import keras
import pytest
from keras.src.backend.common import global_state
from keras.src.legacy.saving import saving_options, saving_utils
from keras.src.saving import saving_lib, serialization_lib
from networks import convolutional, functional, nested_twice, shared_layer, trained
from plain import assert_plain

from tfmagic import models
from tfmagic.model.sources import keras_private
from tfmagic.model.sources.keras_file import KerasFileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from networks import Case

pytestmark = pytest.mark.slow

PENDING = "uninitialized_variables"


def test_the_names_are_there() -> None:
    assert isinstance(keras_private.sharing_objects(), serialization_lib.ObjectSharingScope)
    assert set(inspect.signature(saving_lib.H5IOStore).parameters) >= {"archive", "mode"}
    parameters = inspect.signature(saving_lib._load_state).parameters
    assert set(parameters) >= {"weights_store", "assets_store", "inner_path", "visited_saveables"}
    assert callable(saving_options.keras_option_scope)
    assert set(inspect.signature(saving_utils.model_from_config).parameters) >= {"config", "custom_objects"}
    assert callable(serialization_lib.SafeModeScope)


def test_the_names_of_a_model_are_there() -> None:
    network, _ = functional()
    assert list(network._flatten_layers())
    assert network._inputs_struct is not None
    assert network._outputs_struct is not None
    assert network.inputs[0]._keras_history[0] is network.layers[0]


def test_the_weights_are_called_as_keras_calls_them() -> None:
    assert keras_private.WEIGHTS == saving_lib._VARS_FNAME_H5


def pending() -> list[Any]:
    return list(global_state.get_global_attribute(PENDING, []) or [])


def test_keras_keeps_a_list_of_variables_without_values_and_ours_are_not_on_it() -> None:
    before = pending()
    with keras.StatelessScope(initialize_variables=False):
        theirs = keras.Variable("zeros", shape=(2,))
    assert any(one is theirs for one in pending())
    with keras_private.without_pending_variables(), keras.StatelessScope(initialize_variables=False):
        keras.Variable("zeros", shape=(2,))
    assert len(pending()) == len(before) + 1
    assert any(one is theirs for one in pending())
    global_state.set_global_attribute(PENDING, before)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_that_is_read_leaves_nothing_of_it_in_keras(tmp_path: Path, suffix: str) -> None:
    functional()[0].save(tmp_path / f"net{suffix}")
    before = pending()
    floats, policy = keras.config.floatx(), keras.config.dtype_policy().name
    custom = dict(keras.saving.get_custom_objects())
    models.add("net", tmp_path / f"net{suffix}")
    models.inspect(tmp_path / f"net{suffix}")
    assert pending() == before
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == (floats, policy)
    assert keras.saving.get_custom_objects() == custom
    # What has no values would get some here.
    with keras.StatelessScope():
        pass
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    assert layer.kernel.numpy().shape == (3, 2)


@pytest.mark.parametrize(
    "gone",
    [
        "keras.src.saving.serialization_lib",
        "keras.src.backend.common.global_state",
        "keras.src.saving.saving_lib",
        "keras.src.legacy.saving.saving_utils",
    ],
)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("make", [convolutional, shared_layer, nested_twice])
def test_without_one_of_them_the_answer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Case], suffix: str, gone: str
) -> None:
    network, given = make()
    trained(network).save(tmp_path / f"net{suffix}")
    without(monkeypatch, gone)
    model = models.add("net", tmp_path / f"net{suffix}")
    assert_plain(model.run(given).values(), tmp_path / "plain", network, given, 1e-5)


def without(monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    """Have imports of a module fail in the module under test, and nowhere else."""
    real = __import__

    def importing(name: str, names: Any = None, *more: Any) -> Any:
        asked = {name, *(f"{name}.{one}" for one in (more[1] or ()))} if len(more) > 1 else {name}
        if gone in asked and names is not None and names.get("__name__") == keras_private.__name__:
            raise ImportError(gone)
        return real(name, names, *more)

    monkeypatch.setattr("builtins.__import__", importing)


def test_without_what_shares_layers_a_file_is_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = functional()
    network.save(tmp_path / "net.keras")
    without(monkeypatch, "keras.src.saving.serialization_lib")
    whole: list[Any] = []
    read = KerasFileSource._through_an_object

    def noted(*given: Any) -> Any:
        whole.append(given)
        return read(*given)

    monkeypatch.setattr(KerasFileSource, "_through_an_object", noted)
    models.add("net", tmp_path / "net.keras")
    assert len(whole) == 1
    assert sys.modules["keras.src.saving.serialization_lib"] is serialization_lib
