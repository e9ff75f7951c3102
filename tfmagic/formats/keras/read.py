"""Keras models in a file, ``.keras`` or ``.h5``, read into a graph one variable at a time.

Keras's own loader makes every variable twice: random first, then from a buffer that holds the whole file. Here the
model is made without values and traced into a graph, whose variables are filled from the file.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import tensorflow as tf

from tfmagic.core.paths import existing_path, stamp
from tfmagic.execution.room.room import Room
from tfmagic.execution.room.variables import bytes_of
from tfmagic.execution.signature.options import Options
from tfmagic.execution.signature.signature import DEFAULT, Signature
from tfmagic.formats.common.inspection import file_record
from tfmagic.formats.common.loading import reading
from tfmagic.formats.common.source import Built, FileSource
from tfmagic.formats.keras.archive import KerasArchive, archive_at
from tfmagic.formats.keras.code import keras_code, structure_of
from tfmagic.formats.keras.live_model import KerasSource, check_backend
from tfmagic.formats.keras.objects import (
    naming_what_is_missing,
    notebook_objects,
    objects_for,
    own_names,
    refuse_code,
    refuse_imports,
)
from tfmagic.formats.keras.trace_file import traced_if_possible, without_values
from tfmagic.formats.live.copy_to_graph import graph_copy
from tfmagic.formats.live.shapes import with_known_shapes
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.formats.common.inspection import FileRecord

v1 = tf.compat.v1


class KerasFileSource(FileSource):
    """A Keras model in a ``.keras`` or ``.h5`` file."""

    kind = "Keras file"
    takes_options = frozenset({"objects"})

    def accept(self, model: str, options: Options) -> None:
        """Refuse options that are for other sources, and a Keras that does not run on TensorFlow."""
        super().accept(model, options)
        check_backend(model)

    def fingerprint(self) -> object:
        """Return the path, the file's stamp, and which of the notebook's own classes it uses."""
        with reading(self.path.name, self.path, "the configuration"):
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
        if not archive.has_assets:
            text = json.dumps(config)

            def make() -> Any:
                # Keras changes the configuration that it gets, and JSON is the quickest way to copy it.
                return archive.skeleton(json.loads(text), objects, safe=not options.unsafe)

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
            structure_of(live, own),
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
        copy.needs_no_file = True
        return built


def _loaded_by_keras(archive: KerasArchive, objects: dict[str, Any], options: Options) -> Any:
    import keras

    safe = not options.unsafe
    with eager_execution():
        return keras.models.load_model(str(archive.path), custom_objects=objects, compile=False, safe_mode=safe)
