"""What a Keras file needs besides its weights: classes, and Python code."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.errors import SourceError, UnsafeSourceError, did_you_mean
from tfmagic.formats.keras.private import imports_what_is_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_KERAS_PACKAGES = {"keras", "tf_keras", "keras_hub", "keras_cv", "keras_nlp", "builtins"}
# In .h5 files, of this Keras and of Keras 2.
_INSIDE_KERAS = {"Functional", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "TensorFlowOpLayer"}
_NO_CLASS = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__typespec__"}
_CODE = "__lambda__"


def objects_for(config: Any, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a configuration needs by name and registered name: of ``--objects``, or of the notebook if None."""
    known = notebook_objects(config) if given is None else dict(given)
    return {**known, **{registered: known[name] for name, registered in _custom(config) if name in known}}


@contextmanager
def naming_what_is_missing(
    model: str, path: Path, config: Any, given: Mapping[str, Any] | None, version: str
) -> Iterator[None]:
    """Name the class that is missing, or the Keras that is too old, where that makes the block fail."""
    try:
        yield
    except Exception as error:
        known = objects_for(config, given)
        missing = next((name for name, registered in _custom(config) if not _is_known(name, registered, known)), None)
        if missing is None and version.startswith(("1.", "2.")):
            msg = (
                f"{model}: {path} was saved by Keras {version}, and not all of it means the same to Keras 3: load it "
                "with tf_keras.models.load_model(…), and add the object"
            )
            raise SourceError(msg) from error
        if missing is None:
            raise
        raise _not_found(model, path, missing, given) from error


def refuse_imports(model: str, path: Path, config: Any, given: Mapping[str, Any] | None) -> None:
    """Refuse a file with unknown classes or functions: Keras before 3.9 imports and calls whatever a file names."""
    if not imports_what_is_named():
        return
    known = objects_for(config, given)
    functions = [entry for entry in _entries(config) if entry.get("class_name") == "function"]
    foreign = {str(entry.get("config")) for entry in functions if not _is_keras_function(entry)}
    own = {str(entry.get("config")) for entry in functions} - foreign
    for name, registered in _custom(config):
        if name not in own and not _is_known(name, registered, known):
            raise _not_found(model, path, name, given)


def _is_keras_function(entry: Mapping[str, Any]) -> bool:
    """Return whether a function's entry means one of Keras's own."""
    import keras

    rooms = (keras.activations, keras.initializers, keras.regularizers, keras.losses, keras.metrics, keras.ops)
    package = str(entry.get("module") or "builtins").split(".", maxsplit=1)[0]
    return package in _KERAS_PACKAGES and any(hasattr(room, str(entry.get("config"))) for room in rooms)


def _not_found(model: str, path: Path, missing: str, given: Mapping[str, Any] | None) -> SourceError:
    if given is None:
        hint = "run the cell that defines it first, or give it with --objects [THE_CLASS]"
    else:
        hint = f"--objects has {', '.join(given) or 'none'}{did_you_mean(missing, given)}"
    return SourceError(f"{model}: {path} needs {missing!r}, which is no part of Keras: {hint}")


def notebook_objects(config: Any) -> dict[str, Any]:
    """Return those of a configuration's own classes and functions that ``__main__`` has, by name."""
    names: Mapping[str, Any] = vars(sys.modules.get("__main__", object))
    return {name: names[name] for name, _ in _custom(config) if callable(names.get(name))}


def own_names(config: Any) -> list[str]:
    """Return the names of the classes and functions of a configuration that are not Keras's own."""
    return list(dict.fromkeys(name for name, _ in _custom(config)))


def refuse_code(model: str, path: Path, config: Any) -> None:
    """Refuse a file that carries Python code, which loading it would run."""
    for entry in _entries(config):
        # In an .h5 file the code of a Lambda layer is a list: its bytes, defaults, closure.
        function = entry.get("function")
        if entry.get("class_name") == _CODE or isinstance(function, list):
            msg = (
                f"{model}: {path} carries Python code (a Lambda layer) that runs when it is loaded; "
                "add it with --unsafe (unsafe=True) if you trust where the file comes from"
            )
            raise UnsafeSourceError(msg)


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    # Not recursive: a deep network's configuration has tens of thousands of values.
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _custom(config: Any) -> Iterator[tuple[str, str]]:
    """Give name and registered name of everything in a configuration that is not Keras's own."""
    import keras

    for entry in _entries(config):
        name = entry.get("class_name")
        if not isinstance(name, str) or name in _NO_CLASS or name == _CODE or "config" not in entry:
            continue
        module = entry.get("module", "keras" if hasattr(keras.layers, name) or hasattr(keras, name) else "")
        registered = str(entry.get("registered_name") or name)
        if name == "function":
            # A function's name stands where a class has its configuration; its module is not given.
            module, name = "", entry["config"]
            registered = str(name)
        foreign = str(module).split(".")[0] not in _KERAS_PACKAGES
        if foreign and isinstance(name, str) and not _is_keras_class(name, entry):
            # In an .h5 file the name has its package before it: "Mine>Scaled".
            yield name.rpartition(">")[2], registered


def _is_keras_class(name: str, entry: Mapping[str, Any]) -> bool:
    """Return whether an entry without a module, of an .h5 file, is Keras's own."""
    import keras

    rooms = (keras.layers, keras.initializers, keras.regularizers, keras.constraints, keras.activations, keras.models)
    return "module" not in entry and (name in _INSIDE_KERAS or any(hasattr(room, name) for room in rooms))


def _is_known(name: str, registered: str, objects: Mapping[str, Any]) -> bool:
    import keras

    return name in objects or any(
        keras.saving.get_registered_object(candidate) is not None for candidate in (registered, name, f"Custom>{name}")
    )
