"""Every private name of Keras that the sources use, and what is used where one has gone.

A test here that fails after an update of Keras says which name has moved; the
fallback beside it says what still works then.
"""

from __future__ import annotations

import inspect
import io
import sys
import types
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state
from keras.src.legacy.saving import saving_options, saving_utils
from keras.src.saving import saving_lib, serialization_lib
from keras_networks import convolutional, functional, nested_twice, shared_layer, trained
from reference_keras import assert_plain

from tfmagic import models
from tfmagic.errors import SourceError
from tfmagic.formats.keras import private as keras_private
from tfmagic.formats.keras.read import KerasFileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keras_networks import Case

pytestmark = pytest.mark.slow

PENDING = "uninitialized_variables"


def test_the_names_are_there() -> None:
    assert isinstance(keras_private.sharing_objects(), serialization_lib.ObjectSharingScope)
    assert set(inspect.signature(saving_lib.H5IOStore).parameters) >= {"archive", "mode"}
    assert keras_private._arguments_of(saving_lib._load_state, {}).keys() >= {"error_msgs"}
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
    assert f"{saving_lib._VARS_FNAME}.h5" == keras_private.WEIGHTS


LOAD_STATE = saving_lib._load_state


def of_keras_3_0(  # noqa: PLR0917 - as Keras has it
    trackable: Any,
    weights_store: Any,
    assets_store: Any,
    inner_path: str,
    skip_mismatch: bool = False,  # noqa: FBT001, FBT002 - as Keras has it
    visited_trackables: Any = None,
    failed_trackables: Any = None,
    error_msgs: Any = None,
) -> None:
    """Take what Keras 3.0 to 3.2 take."""
    stores = weights_store, assets_store
    of_keras_3_3(trackable, *stores, inner_path, skip_mismatch, visited_trackables, failed_trackables, error_msgs)


def of_keras_3_3(  # noqa: PLR0917 - as Keras has it
    saveable: Any,
    weights_store: Any,
    assets_store: Any,
    inner_path: str,
    skip_mismatch: bool = False,  # noqa: FBT001, FBT002 - as Keras has it
    visited_saveables: Any = None,
    failed_saveables: Any = None,
    error_msgs: Any = None,
) -> None:
    """Take what Keras 3.3 to 3.12 take, and fail where they do: with no set of what has failed."""
    stores = weights_store, assets_store
    LOAD_STATE(saveable, *stores, inner_path, skip_mismatch, visited_saveables, failed_saveables, error_msgs)
    assert (id(saveable) in failed_saveables) == (id(saveable) in error_msgs)


def of_no_keras(saveable: Any, place: str) -> None:
    """Take something else."""
    pytest.fail(f"nobody knows what it would do with {saveable} at {place}")


OLDER = [of_keras_3_0, of_keras_3_3, of_no_keras]


@pytest.mark.parametrize("make", [convolutional, shared_layer, nested_twice])
@pytest.mark.parametrize("load_state", OLDER)
def test_a_file_is_read_whatever_keras_asks_for_to_load_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Case], load_state: Any
) -> None:
    network, given = make()
    trained(network).save(tmp_path / "net.keras")
    fallbacks: list[str] = []
    if load_state is of_no_keras:
        stock = type(network).load_weights

        def noted(*asked: Any) -> None:
            fallbacks.append("")
            stock(*asked)

        monkeypatch.setattr(type(network), "load_weights", noted)
    # In the module under test only: the fallback is Keras's own.
    renamed(monkeypatch, load_state)
    model = models.add("net", tmp_path / "net.keras")
    assert len(fallbacks) == (load_state is of_no_keras)
    assert_plain(model.run(given).values(), tmp_path / "plain", network, given, 1e-5)


@pytest.mark.parametrize("load_state", [LOAD_STATE, *OLDER])
def test_a_weight_of_another_shape_is_refused_whatever_keras_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_state: Any
) -> None:
    functional()[0].save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as stored:
        members = {name: stored.read(name) for name in stored.namelist()}
    with h5py.File(io.BytesIO(members[keras_private.WEIGHTS]), "r+") as weights:
        kernels: list[str] = []
        weights.visit(lambda path: kernels.append(path) if path.endswith("vars/0") else None)
        del weights[kernels[-1]]
        weights[kernels[-1]] = np.zeros((3, 5), np.float32)
        weights.flush()
        members[keras_private.WEIGHTS] = weights.id.get_file_image()
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)
    renamed(monkeypatch, load_state)
    with pytest.raises(SourceError, match=r"net: the weights of .* cannot be read, it may be damaged"):
        models.add("net", tmp_path / "net.keras")


def renamed(monkeypatch: pytest.MonkeyPatch, load_state: Any) -> None:
    """Have the module under test find this function of Keras's, and nobody else."""
    changed = types.ModuleType("saving_lib")
    vars(changed).update(H5IOStore=saving_lib.H5IOStore, _load_state=load_state)
    real = __import__

    def importing(name: str, names: Any = None, *more: Any, **named: Any) -> Any:
        is_meant = name == saving_lib.__name__ and names is not None and names.get("__name__") == keras_private.__name__
        return changed if is_meant else real(name, names, *more, **named)

    monkeypatch.setattr("builtins.__import__", importing)


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
