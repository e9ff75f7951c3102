"""A Keras model made anew, with the weights that a graph has: what a ``.keras`` file is written from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.formats.keras.objects import objects_for
from tfmagic.formats.keras.private import sharing_objects
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tfmagic.execution.backends.graph import GraphBackend


def archivist(backend: GraphBackend, make: Callable[[], Any], places: Mapping[str, int]) -> Callable[[Path], list[str]]:
    """Return what writes the ``.keras`` file of a model whose weights are in a graph, and names what it wrote.

    Parameters
    ----------
    backend
        The graph, and its variables.
    make
        Makes the Keras model, with whatever weights.
    places
        Where in its list of variables each of the graph's is, by name.
    """

    def write(path: Path) -> list[str]:
        with eager_execution():
            made = make()
            variables = list(made.variables)
            for name, value in backend.values(places):
                variables[places[name]].assign(value)
            made.save(path)
        return list(places)

    return write


def archivist_of_copy(live: Any, copy: GraphBackend, variables: Mapping[str, Any]) -> Callable[[Path], list[str]]:
    """Return what writes the ``.keras`` file of a copy of a Keras model.

    Parameters
    ----------
    live
        The Keras model.
    copy
        Its copy in a graph.
    variables
        By the names they have in the graph, the model's own.
    """
    places = {id(one.handle): at for at, one in enumerate(live.variables)}
    by_name = {name: places[id(one.handle)] for name, one in variables.items() if id(one.handle) in places}
    return archivist(copy, lambda: clone(live), by_name)


def clone(live: Any) -> Any:
    """Return a Keras model of the same configuration and weights, that shares nothing with `live`.

    ``keras.models.clone_model`` leaves a subclassed model unbuilt.
    """
    import keras

    config = keras.saving.serialize_keras_object(live)
    config["compile_config"] = None
    own = {type(layer).__name__: type(layer) for layer in live._flatten_layers()}  # noqa: SLF001 - .layers are the outermost
    with sharing_objects():
        made = keras.saving.deserialize_keras_object(config, custom_objects=objects_for(config, own), safe_mode=False)
    for mine, theirs in zip(made.variables, live.variables, strict=True):
        mine.assign(theirs.value)
    return made
