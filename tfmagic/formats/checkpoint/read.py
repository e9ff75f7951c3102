"""Checkpoints of TF1's ``Saver``, with the graph that it wrote beside them (``.meta``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.paths import disk_bytes, stamp
from tfmagic.core.regular_files import regular_file, regular_files
from tfmagic.core.units import size_text
from tfmagic.errors import MissingPathError, SourceError, did_you_mean
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.room.variables import table_initialisers_of, variables_of
from tfmagic.execution.signature.inference import infer
from tfmagic.execution.signature.signature import Signature, default_among, renamed
from tfmagic.formats.common.declared import check_declared, check_tensors_fit
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
from tfmagic.formats.common.written import tensors_of
from tfmagic.formats.common.wrong_file import wrong_file
from tfmagic.formats.saved_model.meta_graph import GRAPH_FILE_NAMES, signatures_of
from tfmagic.formats.saved_model.restore_plan import restore_plan
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

# What names a folder's checkpoints is a line for each.
_STATE_BYTES = 1 << 24
_PART = re.compile(r"\.(meta|index|data-\d+-of-\d+)$")


class CheckpointSource(FileSource):
    """A v1 checkpoint with its ``.meta`` graph; ``path`` becomes the common beginning of its files' names."""

    kind = "checkpoint"
    expected = "a v1 checkpoint with its .meta"

    def __init__(self, path: Path, text: str) -> None:
        prefix = checkpoint_at(path) or path
        super().__init__(prefix, text)
        self._notes = [f"{prefix.name}, the latest in {path.name}"] if path.is_dir() else []

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Return whether this is one of its files, their common beginning, or a folder that names the latest."""
        return checkpoint_at(path) is not None

    def inspect(self) -> FileRecord:
        """Read the graph and the checkpoint's index."""
        meta = read_meta_graph(str(self.path), self.path)
        signatures, notes = signatures_of(meta)
        if not signatures:
            notes = [*notes, "its inputs and outputs are inferred when it is added", *placeholder_note(meta.graph_def)]
        count, weights_bytes = checkpoint_size(self.path)
        files = [file for file in self.path.parent.glob(f"{self.path.name}.*") if file.is_file()]
        return file_record(
            self.path,
            self.kind,
            signatures=signatures.values(),
            variables=count,
            weights_bytes=weights_bytes,
            notes=notes,
            size_bytes=sum(disk_bytes(file) for file in files),
        )

    def fingerprint(self) -> object:
        """Return what tells whether one of its files has changed."""
        meta_file(self.path)
        files = sorted(self.path.parent.glob(f"{self.path.name}.*"))
        return tuple((file.name, stamp(file)) for file in files if _PART.search(file.name))

    def build(self, model: str, options: Options) -> Built:
        """Import the whole graph, with all that it was trained with, and restore its variables."""
        meta = read_meta_graph(model, self.path)
        with reading(model, meta_file(self.path), "the graph"):
            check_constants(meta.graph_def)
            file = meta_file(self.path)
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
        room = Room(model, graph, options.device)
        check_tensors_fit(model, self.path, graph, tensors_of(signatures.values()))
        guard = None
        if not options.unsafe:
            guard = Guard(model, graph, detached_functions(meta.graph_def.library.function), ())
            default = signatures[default_among(model, signatures, options.signature)]
            guard.check([str(spec.tensor) for spec in default.outputs])
            begun = [op.initializer.name for op in variables_of(graph) if op.op.name not in restore.variables]
            guard.check([*begun, *(op.name for op in table_initialisers_of(graph))])
            if restore.operation:
                restore.check(detached_functions(meta.graph_def.library.function))
        bind_signature_names(room, next(iter(signatures.values())))
        return Built(GraphBackend(room, signatures, fill_and_initialise(room, restore), guard), list(self._notes))

    def python(self, name: str, signature: Signature, options: Options) -> str:
        """Return code that imports its graph, restores its variables and runs it."""
        cleared = "" if options.device is None else ", clear_devices=True"
        meta = self.path.with_name(f"{self.path.name}.meta")
        imported = [f"_{name}_saver = tf.compat.v1.train.import_meta_graph({quoted(meta)}{cleared})"]
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


def checkpoint_at(path: Path) -> Path | None:
    """Return the prefix of a checkpoint's files: `path` is that, one of them, or a folder that names the latest."""
    if path.is_dir():
        return None if any((path / name).exists() for name in GRAPH_FILE_NAMES) else _latest(path)
    if _PART.search(path.name):
        return path.with_name(_PART.sub("", path.name))
    there = (path.with_name(f"{path.name}.meta"), path.with_name(f"{path.name}.index"))
    return path if not path.exists() and any(file.exists() for file in there) else None


def _latest(folder: Path) -> Path | None:
    """Return the prefix that a folder's ``checkpoint`` file names; in a folder that was moved, the name in it."""
    file = folder / "checkpoint"
    if not file.exists():
        return None
    if regular_file(file).stat().st_size > _STATE_BYTES:
        msg = f"{file} is {size_text(file.stat().st_size)}: expected a text of some lines that names a checkpoint"
        raise SourceError(msg)
    state = v1.train.get_checkpoint_state(str(folder))
    if state is None or not state.model_checkpoint_path:
        msg = f"{file} names no checkpoint, it may be damaged: give the path of one in {folder}"
        raise SourceError(msg)
    named: Path = folder / str(state.model_checkpoint_path)
    return named if named.with_name(f"{named.name}.index").exists() else folder / named.name


def meta_file(path: Path) -> Path:
    """Return the file with the graph of a checkpoint; a missing part is a `MissingPathError`."""
    meta = path.with_name(f"{path.name}.meta")
    if not meta.exists():
        msg = (
            f"the checkpoint {path} has no graph: there is no {meta.name} beside it (checkpoints of TensorFlow 2 have "
            "none: build the model in a cell, restore it there, and add the object)"
        )
        raise MissingPathError(msg)
    if not path.with_name(f"{path.name}.index").exists():
        msg = f"the checkpoint {path} has no values: there is no {path.name}.index beside {meta.name}"
        raise MissingPathError(msg)
    regular_files([meta, path.with_name(f"{path.name}.index"), *path.parent.glob(f"{path.name}.data-*")])
    return meta


def read_meta_graph(model: str, path: Path) -> Any:
    """Return the ``MetaGraphDef`` of a checkpoint."""
    file = meta_file(path)
    meta = read_message(model, file, v1.MetaGraphDef(), META_GRAPH)
    if not meta.graph_def.node:
        msg = f"{model}: {file} holds no graph, it may be damaged"
        raise wrong_file(model, file) or SourceError(msg)
    return meta
