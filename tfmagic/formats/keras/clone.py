"""A second Keras model with the weights of a graph, from which a ``.keras`` file is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.formats.keras.objects import objects_for
from tfmagic.formats.keras.private import sharing_objects
from tfmagic.runtime.tensorflow.tf1_switches import eagerly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tfmagic.execution.backends.graph import GraphBackend


def archivist(backend: GraphBackend, make: Callable[[], Any], places: Mapping[str, int]) -> Callable[[Path], list[str]]:
    """Return what writes the ``.keras`` file of a graph's weights, and names the variables that are in it.

    `make` makes the Keras model; `places` has the index of each graph variable in that model's list.
    """

    def write(path: Path) -> list[str]:
        with eagerly():
            copy_of_model = make()
            variables = list(copy_of_model.variables)
            for name, value in backend.values(places):
                variables[places[name]].assign(value)
            copy_of_model.save(path)
        return list(places)

    return write


def archivist_of_copy(live: Any, copy: GraphBackend, variables: Mapping[str, Any]) -> Callable[[Path], list[str]]:
    """Return what writes the ``.keras`` file of a copy; `variables` has the model's own by their graph names."""
    places = {id(variable.handle): at for at, variable in enumerate(live.variables)}
    by_name = {name: places[id(own.handle)] for name, own in variables.items() if id(own.handle) in places}
    return archivist(copy, lambda: clone(live), by_name)


def clone(live: Any) -> Any:
    """Return a Keras model like `live` that shares nothing.

    ``keras.models.clone_model`` leaves subclassed ones unbuilt.
    """
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
