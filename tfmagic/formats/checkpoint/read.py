"""Checkpoints of TF1's ``Saver``, with the graph that it wrote beside them (``.meta``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.paths import disk_bytes, stamp
from tfmagic.errors import SourceError, did_you_mean
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.room.variables import table_initialisers_of, variables_of
from tfmagic.execution.signature.inference import infer
from tfmagic.execution.signature.signature import Signature, default_among, renamed
from tfmagic.formats.checkpoint.files import CheckpointFiles, files_at
from tfmagic.formats.common.declared import check_declared, check_tensors_fit, refusals
from tfmagic.formats.common.devices import place_here
from tfmagic.formats.common.initialisers import left_out_note, unneeded, unneeded_and_unsafe
from tfmagic.formats.common.loading import (
    bind_signature_names,
    check_constants,
    detached_functions,
    fill_and_initialise,
    import_meta_graph,
    new_graph,
    reading,
)
from tfmagic.formats.common.message_file import META_GRAPH, read_message
from tfmagic.formats.common.plain_code import on_device, quoted, session_code
from tfmagic.formats.common.source import Built, FileSource, checkpoint_size, file_record, placeholder_note
from tfmagic.formats.common.unknown_operations import leave_out_unknown
from tfmagic.formats.common.written import tensors_of
from tfmagic.formats.common.wrong_file import wrong_file
from tfmagic.formats.saved_model.restore_plan import restore_plan
from tfmagic.formats.saved_model.signatures import signatures_of
from tfmagic.graphdef.call_depth import check_calls
from tfmagic.graphdef.guard import Guard
from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.private import run_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.common.source import FileRecord

v1 = tf.compat.v1


class CheckpointSource(FileSource):
    """A v1 checkpoint with its ``.meta`` graph; ``path`` becomes the common beginning of its files' names."""

    kind = "checkpoint"
    expected = "a v1 checkpoint with its .meta"

    def __init__(self, path: Path, text: str) -> None:
        files = files_at(path) or CheckpointFiles(path, None)
        super().__init__(files.values, text)
        self._files = files
        self._notes = [f"{files.values.name}, the latest in {path.name}"] if path.is_dir() else []
        self._notes += [files.note] if files.note else []

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Return whether this is one of its files, their common beginning, or a folder that names the latest."""
        return files_at(path) is not None

    def inspect(self) -> FileRecord:
        """Read the graph and the checkpoint's index."""
        meta = read_meta_graph(str(self.path), self._files.graph())
        signatures, notes = signatures_of(meta)
        if not signatures:
            notes = [*notes, "its inputs and outputs are inferred when it is added", *placeholder_note(meta.graph_def)]
        count, weights_bytes = checkpoint_size(self.path)
        notes += [self._files.note] if self._files.note else []
        return file_record(
            self.path,
            self.kind,
            signatures=signatures.values(),
            variables=count,
            weights_bytes=weights_bytes,
            refusals=refusals(self.path, meta.graph_def, lambda: self._files.graph().stat().st_size),
            notes=notes,
            size_bytes=sum(disk_bytes(file) for file in self._files.all()),
        )

    def fingerprint(self) -> object:
        """Return what tells whether one of its files has changed."""
        self._files.graph()
        return tuple((file.name, stamp(file)) for file in self._files.all())

    def build(self, model: str, options: Options) -> Built:
        """Import the whole graph, with all that it was trained with, and restore its variables."""
        file = self._files.graph()
        meta = read_meta_graph(model, file)
        with reading(model, file, "the graph"):
            check_constants(meta.graph_def)
            notes = leave_out_unknown(meta.graph_def, _wanted(meta, options), options.inputs, meta.collection_def)
            notes += place_here(meta.graph_def, options.device)
            check_calls(model, file, meta.graph_def.node, meta.graph_def.library)
            check_declared(model, file, meta.graph_def, lambda: file.stat().st_size)
            graph = new_graph(options.device, lambda: import_meta_graph(meta, clear_devices=options.device is not None))
        signatures = _signatures(model, meta, graph, options)
        plan = restore_plan(meta)
        if plan is None:
            restore = _Restore(model, self.path, graph, {}, meta.saver_def)
        else:
            held = {op.name: op for op in graph.get_operations() if op.type in VARIABLES}
            # A graph that was exported without a Saver has its variables under their own names.
            keys = {name: saved.key for name, saved in plan.items()} or {name: name for name in held}
            _check_fit(model, self.path, {name: (keys[name], op) for name, op in held.items() if name in keys})
            restore = _Restore(model, self.path, graph, keys, None)
        check_tensors_fit(model, self.path, graph, tensors_of(signatures.values()))
        room = Room(model, graph, options.device)
        default = signatures[default_among(model, signatures, options.signature)]
        if room.initialiser is not None:
            room.initialiser.unneeded = unneeded(default, graph, table_initialisers_of(graph))
        guard = None
        left_out: list[Any] = []
        if not options.unsafe:
            guard = Guard(model, graph, detached_functions(meta.graph_def.library.function), ())
            guard.check([str(spec.tensor) for spec in default.outputs], given=default.given)
            begun = [variable for variable in variables_of(graph) if variable.op.name not in restore.variables]
            left_out = unneeded_and_unsafe(guard, default, graph, [*begun, *table_initialisers_of(graph)])
            if restore.operation:
                restore.check(detached_functions(meta.graph_def.library.function))
        bind_signature_names(room, next(iter(signatures.values())))
        backend = GraphBackend(room, signatures, fill_and_initialise(room, restore, left_out), guard)
        return Built(backend, [*self._notes, *notes, *left_out_note(left_out)])

    def python(self, name: str, signature: Signature, options: Options) -> str:
        """Return code that imports its graph, restores its variables and runs it."""
        cleared = "" if options.device is None else ", clear_devices=True"
        graph = quoted(self._files.graph())
        imported = [f"_{name}_saver = tf.compat.v1.train.import_meta_graph({graph}{cleared})"]
        inner = [
            *on_device(options.device, imported),
            "# Whatever the checkpoint has no value for: tables, and variables that are not saved.",
            f"_{name}_session.run([tf.compat.v1.local_variables_initializer(), tf.compat.v1.tables_initializer()])",
            f"_{name}_saver.restore(_{name}_session, {quoted(self.path)})",
        ]
        return session_code(name, signature, [f"with _{name}_graph.as_default():", *(f"    {line}" for line in inner)])


class _Restore:
    """Restores the variables of a checkpoint: by its key for each, or where these are not known by ``operation``."""

    def __init__(self, model: str, path: Path, graph: Any, variables: Mapping[str, str], saver: Any) -> None:
        self._model, self._path, self._graph = model, path, graph
        self.variables = dict(variables)
        self.operation = "" if saver is None else str(saver.restore_op_name)
        self._filename = "" if saver is None else str(saver.filename_tensor_name)

    def check(self, functions: Sequence[Any]) -> None:
        """Have a guard inspect what the file's own restore operation does."""
        Guard(self._model, self._graph, functions, [self._filename], fed=True, restores=True).check([self.operation])

    def __call__(self, native: Any) -> None:
        """Give the variables their values in a native session."""
        with reading(self._model, self._path, "the variables"):
            if self.operation:
                run_once(native, [self.operation], {self._filename: str(self._path)})
            else:
                values_of(self._graph).write(native, self._values())

    def _values(self) -> Iterator[tuple[str, np.ndarray]]:
        reader = tf.train.load_checkpoint(str(self._path))
        for name, key in self.variables.items():
            yield name, reader.get_tensor(key)


def _wanted(meta: Any, options: Options) -> Sequence[tuple[str, str]] | None:
    """Return the outputs that were chosen, by `options` or by the file, as pairs of a name and the tensor."""
    declared, _ = signatures_of(meta)
    if not declared:
        return options.outputs
    return [(spec.name, str(spec.tensor)) for signature in declared.values() for spec in signature.outputs]


def _signatures(model: str, meta: Any, graph: Any, options: Options) -> dict[str, Signature]:
    declared, _ = signatures_of(meta)
    if declared:
        default = default_among(model, declared, options.signature)
        return {**declared, default: renamed(model, declared[default], options.inputs, options.outputs)}
    inferred = infer(model, graph, {}, options.inputs, options.outputs, hidden=("gradients/",))
    return {inferred.name: inferred}


def _check_fit(model: str, path: Path, variables: Mapping[str, tuple[str, Any]]) -> None:
    """Refuse a checkpoint that has no value of the right shape and dtype for a variable of the graph."""
    with reading(model, path.with_name(f"{path.name}.index"), "the list of variables"):
        reader = tf.train.load_checkpoint(str(path))
        shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    for name, (key, op) in variables.items():
        shape, dtype = tf.TensorShape(op.get_attr("shape")), op.get_attr("dtype").base_dtype.name
        if key not in shapes:
            msg = f"{model}: {path} does not fit its graph: it has no value for variable {name!r}"
            raise SourceError(msg + did_you_mean(key, shapes))
        if not shape.is_compatible_with(shapes[key]):
            differs = f"{tuple(shape.as_list())} in the graph and {tuple(shapes[key])}"
        elif dtype != dtypes[key].name:
            differs = f"{dtype} in the graph and {dtypes[key].name}"
        else:
            continue
        msg = f"{model}: {path} does not fit its graph: variable {name!r} is {differs} in the checkpoint"
        raise SourceError(msg)


def read_meta_graph(model: str, file: Path) -> Any:
    """Return the ``MetaGraphDef`` in a file."""
    meta = read_message(model, file, v1.MetaGraphDef(), META_GRAPH)
    if not meta.graph_def.node:
        msg = f"{model}: {file} holds no graph, it may be damaged"
        raise wrong_file(model, file) or SourceError(msg)
    return meta
