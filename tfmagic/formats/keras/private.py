"""Every private name of Keras that the sources use, each with a public fallback.

``tests/`` has a test for each that fails when it goes, so that the slower way never becomes the usual one unnoticed.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path


def sharing_objects() -> AbstractContextManager[Any]:
    """Return a context in which a configuration's shared layers are made once; `ImportError` where Keras has none."""
    from keras.src.saving.serialization_lib import ObjectSharingScope

    scope: AbstractContextManager[Any] = ObjectSharingScope()
    return scope


@contextmanager
def without_pending_variables(made: list[Any] | None = None) -> Iterator[None]:
    """Have Keras forget variables without values that the block makes, as it would give them memory later.

    They are appended to `made`, also after an error.
    """
    key = "uninitialized_variables"
    try:
        from keras.src.backend.common import global_state
    except ImportError:
        yield
        return
    before = list(global_state.get_global_attribute(key, []) or [])
    try:
        yield
    finally:
        if made is not None:
            made.extend((global_state.get_global_attribute(key, []) or [])[len(before) :])
        global_state.set_global_attribute(key, before)


def model_from_legacy_config(config: Any, objects: Mapping[str, Any], *, safe: bool) -> Any:
    """Return the model of an ``.h5`` file's configuration, None where that way is gone."""
    try:
        from keras.src.legacy.saving import saving_options, saving_utils
        from keras.src.saving.serialization_lib import SafeModeScope
    except ImportError:
        return None
    with saving_options.keras_option_scope(use_legacy_config=True), SafeModeScope(safe):
        return saving_utils.model_from_config(config, custom_objects=dict(objects))


def imports_what_is_named() -> bool:
    """Return whether Keras imports whatever a file names, and so may run any function: it does before 3.9."""
    import keras

    named = {"module": "string", "class_name": "function", "config": "capwords", "registered_name": "capwords"}
    try:
        keras.saving.deserialize_keras_object(named)
    except Exception:  # noqa: BLE001 - however it refuses
        return False
    return True


def load_weights(model: Any, path: Path, archive: Any) -> None:
    """Have each layer of a model take its weights from a ``.keras`` file, which ``archive.open`` opens in place."""
    # Keras's own way through the zip file reads from its beginning for each weight, or copies all into memory first.
    failed: dict[int, tuple[Any, Exception]] = {}
    try:
        from keras.src.saving.saving_lib import H5IOStore, _load_state

        arguments = _arguments_of(_load_state, failed)
    except ImportError:
        model.load_weights(str(path))
        return
    store = H5IOStore(WEIGHTS, archive=archive, mode="r")
    try:
        _load_state(model, store, None, "", **arguments)
    finally:
        store.close()
    for _, error in failed.values():
        raise error


def _arguments_of(load_state: Callable[..., None], failed: dict[int, tuple[Any, Exception]]) -> dict[str, Any]:
    """Return the last arguments of Keras's ``_load_state``; `failed` collects what could not be loaded."""
    # Keras 3.0 to 3.2 say trackables, later ones saveables; up to 3.12 none may be left out.
    names = list(inspect.signature(load_state).parameters)
    for kind in ("saveables", "trackables"):
        arguments = {f"visited_{kind}": set[int](), f"failed_{kind}": set[int](), "error_msgs": failed}
        if names[1:4] == ["weights_store", "assets_store", "inner_path"] and arguments.keys() <= set(names):
            return arguments
    msg = f"Keras loads the state of a model with other arguments: {', '.join(names)}"
    raise ImportError(msg)


WEIGHTS = "model.weights.h5"
"""What the weights are called in a ``.keras`` file."""
