"""Keras models in a file, ``.keras`` or ``.h5``, read into a graph one variable at a time.

Keras's own loader makes every variable twice: random first, then from a buffer that holds the whole file. Here the
model is made without values and traced into a graph, whose variables are filled from the file.
"""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from tfmagic.core.naming import unique
from tfmagic.core.paths import existing_path, stamp
from tfmagic.errors import SourceError, TfMagicError
from tfmagic.execution.backends.eager import named_outputs
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.room.variables import bytes_of
from tfmagic.execution.signature.options import Options
from tfmagic.execution.signature.signature import DEFAULT, Signature
from tfmagic.formats.common.fed_variables import FedVariable, add_fed_variables
from tfmagic.formats.common.loading import bind_signature_names, filling_all, reading
from tfmagic.formats.common.source import Built, FileSource, file_record
from tfmagic.formats.keras.archive import archive_at
from tfmagic.formats.keras.code import keras_code
from tfmagic.formats.keras.live_model import KerasSource, check_backend
from tfmagic.formats.keras.objects import (
    naming_what_is_missing,
    notebook_objects,
    objects_for,
    own_names,
    refuse_code,
    refuse_imports,
)
from tfmagic.formats.keras.private import without_pending_variables
from tfmagic.formats.keras.write import keras_writer
from tfmagic.formats.live.copy_to_graph import graph_copy
from tfmagic.formats.live.shapes import with_known_shapes
from tfmagic.formats.live.trace_to_graph import op_name, signature_in_graph
from tfmagic.runtime.state.variables_io import Writer, values_of
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tfmagic.formats.common.source import FileRecord
    from tfmagic.formats.keras.archive import KerasArchive


v1 = tf.compat.v1


class KerasFileSource(FileSource):
    """A Keras model in a ``.keras`` or ``.h5`` file."""

    kind = "Keras file"
    takes_options = frozenset({"objects"})

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(path, text)
        # Whose model it is to be, once that is known: for messages.
        self._model = path.name

    def check_options(self, model: str, options: Options) -> None:
        """Refuse options that are for other sources, and a Keras that does not run on TensorFlow."""
        super().check_options(model, options)
        check_backend(model)
        self._model = model

    def fingerprint(self) -> object:
        """Return the path, the file's stamp, and which of the notebook's own classes it uses."""
        with reading(self._model, self.path, "the configuration"):
            classes = notebook_objects(archive_at(existing_path(self.path)).config())
        return (str(self.path), stamp(self.path), tuple((name, id(own)) for name, own in classes.items()))

    def build(self, model: str, options: Options) -> Built:
        """Make the model without values, and trace it into a graph."""
        with reading(model, self.path, "the configuration"):
            archive = archive_at(existing_path(self.path))
            config, version = archive.config(), archive.version()
        if not options.unsafe:
            refuse_code(model, self.path, config)
            refuse_imports(model, self.path, config, options.objects)
        objects = objects_for(config, options.objects)
        text = json.dumps(config)

        def make() -> Any:
            # Keras changes the configuration that it gets, and JSON is the quickest way to copy it.
            return archive.skeleton(json.loads(text), objects, safe=not options.unsafe)

        if archive.has_assets:
            check_size(model, archive, make)
        else:
            built = traced_if_possible(model, archive, make, options)
            if built is not None:
                return built
        with naming_what_is_missing(model, self.path, config, options.objects, version):
            return self._through_an_object(model, archive, objects, options)

    def inspect(self) -> FileRecord:
        """Make the model without values; where that needs what is not here, only the file's size is known."""
        name = self.path.name
        with reading(name, self.path, "the configuration"):
            archive = archive_at(existing_path(self.path))
            config, version = archive.config(), archive.version()
        try:
            check_backend(name)
            refuse_code(name, self.path, config)
            refuse_imports(name, self.path, config, None)
            with naming_what_is_missing(name, self.path, config, None, version):
                objects = objects_for(config, None)
                skeleton = without_values(lambda: archive.skeleton(config, objects, safe=True))
            eager = KerasSource(skeleton, name).connect(Room(name), Options())
        except Exception as error:  # noqa: BLE001 - inspecting may not fail for what is not there to make the model
            return file_record(self.path, self.kind, notes=[str(error).split("\n", maxsplit=1)[0]])
        sizes = [bytes_of(variable.shape, variable.dtype) or 0 for variable in skeleton.variables]
        return file_record(
            self.path, self.kind, signatures=[eager.signatures[DEFAULT]], variables=len(sizes), weights_bytes=sum(sizes)
        )

    def python(self, name: str, signature: Signature, options: Options) -> str:
        """Return code that loads it; classes of the person's own have to be defined before."""
        archive = archive_at(existing_path(self.path))
        config = archive.config()
        objects = objects_for(config, options.objects)
        if archive.has_assets:
            live = _loaded_by_keras(archive, objects, options)
        else:
            live = without_values(lambda: archive.skeleton(deepcopy(config), objects, safe=not options.unsafe))
        eager = KerasSource(live, self.text).connect(Room(name), Options())
        own = with_known_shapes(eager, eager.signatures[DEFAULT])
        return keras_code(
            name,
            self.path,
            signature,
            live,
            own,
            objects=own_names(config),
            unsafe=options.unsafe,
            device=options.device,
        )

    def _through_an_object(self, model: str, archive: KerasArchive, objects: dict[str, Any], options: Options) -> Built:
        """Load the file with Keras, and copy the object into a graph."""
        with reading(model, self.path, "the model"):
            live = _loaded_by_keras(archive, objects, options)
        eager = KerasSource(live, self.text).connect(Room(model, device=options.device), options)
        built = graph_copy(eager, options)
        # The object was read from the file: nobody else has it.
        copy = cast("GraphBackend", built.backend)
        copy.live_values = copy.copied_values = None
        copy.source_is_in_memory = True
        return built


def _loaded_by_keras(archive: KerasArchive, objects: dict[str, Any], options: Options) -> Any:
    import keras

    safe = not options.unsafe
    # Before 3.3, Keras looks for the classes of an .h5 file in the scope alone.
    with eager_execution(), archive.named_for_keras() as path, keras.saving.custom_object_scope(objects):
        return keras.models.load_model(path, custom_objects=objects, compile=False, safe_mode=safe)


def without_values(make: Callable[[], Any], made: list[Any] | None = None) -> Any:
    """Return what `make` returns; its Keras variables have shapes and no values, and `made` has them after an error."""
    import keras

    with eager_execution(), without_pending_variables(made), keras.StatelessScope(initialize_variables=False):
        return make()


def traced_if_possible(model: str, archive: KerasArchive, make: Callable[[], Any], options: Options) -> Built | None:
    """Return a model that was traced without values, None for one that works only eagerly."""
    made: list[Any] = []
    try:
        skeleton = without_values(make, made)
        _check_weights(model, archive, skeleton.variables, whole=True)
        return None if _loads_in_its_own_way(skeleton) else _traced(model, archive, make, skeleton, options)
    except TfMagicError:
        raise
    except Exception:  # noqa: BLE001 - a layer may do what only works eagerly, and fail in any way
        # Keras will make the model with values: as far as is known now, the file has to contain them.
        _check_weights(model, archive, made, whole=False)
        return None


def check_size(model: str, archive: KerasArchive, make: Callable[[], Any]) -> None:
    """Refuse a file that is to be loaded with Keras and does not contain what its configuration asks for."""
    made: list[Any] = []
    with suppress(Exception):
        made.extend(without_values(make, made).variables)
    _check_weights(model, archive, list({id(variable): variable for variable in made}.values()), whole=False)


def _check_weights(model: str, archive: KerasArchive, variables: list[Any], *, whole: bool) -> None:
    with reading(model, archive.path, "the weights"):
        archive.check_weights(variables, whole=whole)


def _traced(model: str, archive: KerasArchive, make: Callable[[], Any], skeleton: Any, options: Options) -> Built:
    """Trace a model without values into a graph, whose variables are filled from the file."""
    import keras

    eager = KerasSource(skeleton, model).connect(Room(model, device=options.device), options)
    signature = with_known_shapes(eager, eager.signatures[DEFAULT])
    unknown = next((spec for spec in signature.required if spec.dtype is None), None)
    if unknown is not None:
        msg = f"{model}: {archive.path} does not say the shape of input {unknown.name!r}"
        raise SourceError(msg)
    graph = tf.Graph()
    names = unique(op_name(variable.path) for variable in skeleton.variables)
    with graph.as_default(), tf.device(options.device):
        new = [
            FedVariable(name, own.dtype, own.shape, own.trainable)
            for name, own in zip(names, skeleton.variables, strict=True)
        ]
        added = add_fed_variables(graph, new)
        fed = {spec.name: v1.placeholder(spec.dtype, spec.shape, op_name(spec.name)) for spec in signature.required}
        # Each variable's present reading, so that none is added.
        mapping = [(own, graph.as_graph_element(new)) for own, new in zip(skeleton.variables, added, strict=True)]
        with keras.StatelessScope(mapping, initialize_variables=False) as scope:
            before = [scope.get_current_value(own) for own in skeleton.variables]
            for layer in skeleton._flatten_layers():  # noqa: SLF001 - the public .layers are the outermost ones
                if isinstance(layer, keras.layers.Normalization):
                    # It derives tensors from its loaded weights: here from the graph's variables.
                    layer.finalize_state()
            given = {spec.tensor or spec.name: fed[spec.name] for spec in signature.required}
            result = eager.call_object(DEFAULT, given)
        outputs = named_outputs(result, [spec.tensor for spec in signature.outputs])
        after = [scope.get_current_value(own) for own in skeleton.variables]
        outputs = _with_effects(outputs, zip(added, before, after, strict=True))
    signature = signature_in_graph(signature, fed, outputs)
    name_of = {id(own): new.op.name for own, new in zip(skeleton.variables, added, strict=True)}

    def fill(native: Any) -> None:
        writer = Writer(values_of(graph), native)
        with reading(model, archive.path, "the weights"), eager_execution():
            _assign_each(archive, skeleton, lambda variable, value: writer.put(name_of[id(variable)], value))
            writer.flush()

    room = Room(model, graph, options.device)
    bind_signature_names(room, signature)
    backend = GraphBackend(room, {DEFAULT: signature}, filling_all(room, fill))
    backend.keras_writer = keras_writer(backend, make, {variable.op.name: at for at, variable in enumerate(added)})
    return Built(backend)


def _with_effects(outputs: dict[str, Any], values: Iterable[tuple[Any, Any, Any]]) -> dict[str, Any]:
    """Return outputs that first run a call's side effects: `values` has each variable's value before and after."""
    effects = []
    for variable, before, after in values:
        if after is not before:
            with tf.control_dependencies([before]):
                effects.append(variable.assign(after, read_value=False))
    if not effects:
        return outputs
    with tf.control_dependencies(effects):
        return {name: None if tensor is None else tf.identity(tensor) for name, tensor in outputs.items()}


def _assign_each(archive: KerasArchive, skeleton: Any, take: Callable[[Any, np.ndarray], None]) -> None:
    """Call `take` with each variable of a model without values, and its value in the file."""
    missing = {id(variable): variable for variable in skeleton.variables}

    def assign(variable: Any, value: Any) -> None:
        array = np.asarray(value, tf.as_dtype(variable.dtype).as_numpy_dtype)
        if array.shape != tuple(variable.shape):
            msg = f"{variable.path} is {tuple(variable.shape)} in the model and {array.shape} in the file"
            raise ValueError(msg)
        missing.pop(id(variable), None)
        take(variable, array)

    for variable in skeleton.variables:
        # However a layer loads its weights, it calls this in the end.
        variable.assign = partial(assign, variable)
    try:
        archive.load_into(skeleton)
    finally:
        for variable in skeleton.variables:
            del variable.assign
    for variable in missing.values():
        # Not in the file, such as the state of a random generator: the value of a new model.
        take(variable, np.array(variable.value))


def _loads_in_its_own_way(skeleton: Any) -> bool:
    """Return whether a custom layer overrides how its weights are loaded."""
    import keras

    plain = keras.Layer.load_own_variables
    layers = skeleton._flatten_layers()  # noqa: SLF001 - the public .layers are the outermost ones
    loaders = [type(layer).load_own_variables for layer in layers]
    return any(loader is not plain and not loader.__module__.startswith("keras.") for loader in loaders)
