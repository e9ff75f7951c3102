"""A Keras model as a ``.keras`` file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tfmagic.errors import SaveError
from tfmagic.formats.common.written import Writer, Written, counted
from tfmagic.formats.keras.objects import objects_for
from tfmagic.formats.keras.private import sharing_objects
from tfmagic.formats.live.shapes import with_known_shapes
from tfmagic.formats.live.write import all_variables
from tfmagic.runtime.state.variables_io import checksum, values_of
from tfmagic.runtime.tensorflow.python_log import suppressed_warnings
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.formats.common.written import ModelToWrite


class KerasFile(Writer):
    """Writes a Keras model; any other, or one that was never built, is a `SaveError`."""

    def __init__(self, model: ModelToWrite) -> None:
        backend: Any = model.backend
        self._backend = backend
        self._signature = model.backend.signatures[model.signature]
        renamed = model.options.inputs is not None or model.options.outputs is not None
        self._notes = ("its inputs and outputs have Keras's own names in it",) if renamed else ()
        if self._backend.graph is None:
            _check_live(self._backend, model.kind)
        elif self._backend.keras_writer is None:
            raise _no_keras_model(self._backend, model.kind)

    def __call__(self, file: Path) -> Written:
        """Write the file."""
        backend = self._backend
        if backend.graph is not None:
            names = list(backend.keras_writer(file))
            checksums = {name: checksum(value) for name, value in backend.values(names)}
            more = len(values_of(backend.graph).names()) - len(names)
            notes = (f"without {counted(more)} that the Keras model does not have",) if more else ()
            return Written(self._signature, len(names), 0, checksums, (*self._notes, *notes))
        with eager_execution(), suppressed_warnings():
            backend.live.save(file)
        checksums = {name: checksum(value) for name, value in backend.values()}
        total = len(all_variables(backend))
        signature = with_known_shapes(backend, self._signature)
        return Written(signature, total, total - len(checksums), checksums, self._notes)


def _check_live(backend: EagerBackend, kind: str) -> None:
    label, live = backend.room.label, backend.live
    keras: Any = sys.modules.get("keras")
    if any(kind.__module__.startswith("tf_keras.") for kind in type(live).__mro__):
        msg = f".keras holds models of Keras 3, and {label} is one of tf_keras: save it as a folder or .pb"
        raise SaveError(msg)
    if keras is None or not isinstance(live, keras.Layer):
        raise _no_keras_model(backend, kind)
    if not isinstance(live, keras.Model):
        msg = f".keras holds whole models, and {label} is a layer: save it as a folder, or put it into a keras.Model"
        raise SaveError(msg)
    if not live.built:
        msg = (
            f"{label} has not been built, so it has no weights to save: "
            f"run it once (%tf_run {label} …), or call its build(…)"
        )
        raise SaveError(msg)


def _no_keras_model(backend: EagerBackend, kind: str) -> SaveError:
    if backend.graph is not None and kind.startswith("Keras"):
        msg = (
            f"{backend.room.label} has a table, or a layer that is not in its graph, which is lost in .keras: save it "
            "as a folder"
        )
        return SaveError(msg)
    return SaveError(f".keras holds Keras models; {backend.room.label} is a {kind}: save it as a folder or .pb")


def keras_writer(
    backend: GraphBackend, make: Callable[[], Any], places: Mapping[str, int]
) -> Callable[[Path], list[str]]:
    """Return what writes a graph's weights as ``.keras``; `places` has their indices in the model that `make` makes."""

    def write(path: Path) -> list[str]:
        with eager_execution():
            copy_of_model = make()
            variables = list(copy_of_model.variables)
            for name, value in backend.values(places):
                variables[places[name]].assign(value)
            copy_of_model.save(path)
        return list(places)

    return write


def keras_writer_of_copy(live: Any, copy: GraphBackend, variables: Mapping[str, Any]) -> Callable[[Path], list[str]]:
    """Return what writes the ``.keras`` file of a copy; `variables` has the model's own by their graph names."""
    places = {id(variable.handle): at for at, variable in enumerate(live.variables)}
    by_name = {name: places[id(own.handle)] for name, own in variables.items() if id(own.handle) in places}
    return keras_writer(copy, lambda: clone(live), by_name)


def clone(live: Any) -> Any:
    """Return a Keras model like `live` that shares nothing."""
    # ``keras.models.clone_model`` leaves subclassed ones unbuilt.
    import keras

    config = keras.saving.serialize_keras_object(live)
    config["compile_config"] = None
    own = {type(layer).__name__: type(layer) for layer in live._flatten_layers()}  # noqa: SLF001 - .layers are the outermost
    objects = objects_for(config, own)
    with sharing_objects():
        copy_of_model = keras.saving.deserialize_keras_object(config, custom_objects=objects, safe_mode=False)
    for new, old in zip(copy_of_model.variables, live.variables, strict=True):
        new.assign(old.value)
    return copy_of_model
