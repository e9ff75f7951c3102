"""A graph with its variables as a SavedModel folder; the weights are written as they are read.

TensorFlow's own writers need variable objects, which a graph from a file has not, and all weights a second time.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tfmagic.core.naming import unique
from tfmagic.errors import SaveError
from tfmagic.execution.room.variables import table_initialisers_of
from tfmagic.formats.common.loading import fill_and_initialise, reading
from tfmagic.formats.common.written import Writer, Written, check_size, counted, definition_to_write, tensors_of
from tfmagic.formats.saved_model.meta_graph import SERVE
from tfmagic.formats.saved_model.saver import SaverNodes, write_checkpoint
from tfmagic.graphdef.prune import reached, variable_nodes
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.tables import read_tables, tables_of, write_table
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.private import run_once
from tfmagic.runtime.tensorflow.python_log import suppressed_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.written import ModelToWrite

v1 = tf.compat.v1

_VARIABLES = v1.GraphKeys.GLOBAL_VARIABLES
_SEEN_BY_LOADERS = (_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES)
_MAIN_OP = "saved_model_main_op"
# Collections of the former file: they are replaced.
_REPLACED = (_MAIN_OP, "legacy_init_op", "saved_model_assets")


class GraphFolder(Writer):
    """Writes a graph model as a SavedModel."""

    def __init__(self, model: ModelToWrite) -> None:
        backend: Any = model.backend
        self._backend: GraphBackend = backend
        self._default = model.signature
        self._label = backend.room.label
        self._definition = definition_to_write(backend, backend.signatures.values())
        check_size(self._label, self._definition)
        self._assets = _assets_of(self._label, backend)
        self._begin = _initialisers(backend, self._definition)
        self._names: dict[str, str] = {}

    def __call__(self, folder: Path) -> Written:
        """Write the SavedModel into an empty folder."""
        backend, definition = self._backend, self._definition
        self._names = _copy_assets(folder, self._assets)
        paths = _holding_paths(backend.graph, self._assets)
        tables = tables_of(backend.graph)
        wanted = [name for name in values_of(backend.graph).names() if name not in paths]

        def values() -> Iterator[tuple[str, np.ndarray]]:
            yield from backend.values(wanted)
            yield from read_tables(backend.graph, KernelSession().open(backend.graph), tables)

        checkpoint = write_checkpoint(folder / "variables" / "variables", values())
        variables = [name for name in variable_nodes(definition) if name in {*wanted, *paths}]
        used = reached(definition, tensors_of(backend.signatures.values()))
        saver = SaverNodes(definition, variables, tables, checkpoint)
        meta = _meta_graph(backend, definition, saver, saver.add_group("begin", self._begin))
        _describe_variables(meta, saver, paths)
        for tensor, name in self._names.items():
            meta.asset_file_def.add(filename=name).tensor_info.name = tensor
        message = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
        check_size(self._label, message)
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())
        saved = [name for name in variables if name in checkpoint.dtypes]
        return Written(
            backend.signatures[self._default],
            len(saved),
            sum(1 for name in saved if name not in used),
            checkpoint.checksums,
            tuple(_left_out(backend, [name for name in wanted if name not in checkpoint.dtypes])),
        )

    def refill_from(self, folder: Path) -> None:
        """Fill the model's later native sessions from the folder that it was written to."""
        backend = self._backend
        assets = {tensor: str(folder / "assets" / name) for tensor, name in self._names.items()}
        backend.table_fill = replace(backend.table_fill, assets={**backend.table_fill.assets, **assets}, unused=0)
        backend.set_fill(_fill_from(folder, backend.room, list(self._begin), assets))


def _fill_from(folder: Path, room: Room, initialisers: list[str], assets: Mapping[str, str]) -> Callable[[Any], None]:
    """Return a fill from the SavedModel that was written of a graph, whose former file had other checkpoint keys."""
    graph, prefix = room.graph, folder / "variables" / "variables"

    def values(checkpoint: Any) -> Iterator[tuple[str, np.ndarray]]:
        for name in values_of(graph).names():
            if checkpoint.has_tensor(name):
                yield name, checkpoint.get_tensor(name)

    def fill(native: Any) -> None:
        with reading(room.label, folder, "the variables"):
            if prefix.with_name("variables.index").exists():
                checkpoint = tf.train.load_checkpoint(str(prefix))
                values_of(graph).write(native, values(checkpoint))
                for table in tables_of(graph):
                    if checkpoint.has_tensor(table.keys):
                        columns = checkpoint.get_tensor(table.keys), checkpoint.get_tensor(table.entries)
                        write_table(graph, native, table, columns)
            if initialisers:
                run_once(native, initialisers, dict(assets))

    return fill_and_initialise(room, fill, table_initialisers_of(graph))


def _initialisers(backend: GraphBackend, definition: Any) -> list[str]:
    """Return the operations that fill the tables: those of the file, then those that a cell has added."""
    from_file = [name.split(":")[0] for name in backend.table_fill.initialisers]
    run_already = reached(definition, from_file)
    return [*from_file, *(op.name for op in table_initialisers_of(backend.graph) if op.name not in run_already)]


def _meta_graph(backend: GraphBackend, definition: Any, saver: SaverNodes, main_op: str) -> Any:
    # It warns of collections with Python objects, which no file can hold. It needs the graph to write variables.
    with backend.graph.as_default(), suppressed_warnings():
        meta = v1.train.export_meta_graph(graph_def=definition, graph=backend.graph, saver_def=saver.saver_def)
    meta.meta_info_def.tags.append(SERVE)
    for key in _REPLACED:
        if key in meta.collection_def:
            del meta.collection_def[key]
    # Always: without one, TensorFlow 2's loader runs the initialisers of local variables.
    meta.collection_def[_MAIN_OP].node_list.value.append(main_op)
    for signature in backend.signatures.values():
        meta.signature_def[signature.name].CopyFrom(_signature_def(backend.graph, signature))
    return meta


def _describe_variables(meta: Any, saver: SaverNodes, paths: Mapping[str, str]) -> None:
    """Add variables that are in no collection: TensorFlow 2's loader makes its variables from collections."""
    nodes = {node.name: node for node in meta.graph_def.node}
    collections = [meta.collection_def[key].bytes_list.value for key in _SEEN_BY_LOADERS if key in meta.collection_def]
    known = [variable_pb2.VariableDef.FromString(encoded) for collection in collections for encoded in collection]
    described_names = {variable.variable_name.split(":")[0] for variable in known}
    for name, initialiser in {**saver.assignments, **paths}.items():
        if name not in described_names:
            described = variable_pb2.VariableDef(
                variable_name=f"{name}:0",
                initializer_name=initialiser,
                snapshot_name=f"{saver.readers[name]}:0",
                is_resource=nodes[name].op == "VarHandleOp",
            )
            meta.collection_def[_VARIABLES].bytes_list.value.append(described.SerializeToString())


def _signature_def(graph: Any, signature: Signature) -> Any:
    definition = meta_graph_pb2.SignatureDef(method_name=v1.saved_model.signature_constants.PREDICT_METHOD_NAME)
    for infos, specs in ((definition.inputs, signature.inputs), (definition.outputs, signature.outputs)):
        for spec in specs:
            tensor = graph.get_tensor_by_name(spec.tensor)
            shape = tensor.shape if spec.shape is None else tf.TensorShape(spec.shape)
            infos[spec.name].name = tensor.name
            infos[spec.name].dtype = tensor.dtype.base_dtype.as_datatype_enum
            infos[spec.name].tensor_shape.CopyFrom(shape.as_proto())
    return definition


def _left_out(backend: GraphBackend, uninitialised: list[str]) -> Iterator[str]:
    if uninitialised:
        listed = ", ".join(uninitialised[:3]) + (", …" if len(uninitialised) > 3 else "")
        yield f"without {counted(len(uninitialised))} that no value was given to yet: {listed}"
    if backend.table_fill.unused:
        yield f"without {counted(backend.table_fill.unused)} of its own file that nothing of it uses"


def _assets_of(label: str, backend: GraphBackend) -> dict[str, Path]:
    """Return the files that fill tables, of the model's source and of cells, by the tensor that holds the path."""
    files = {tensor: Path(path) for tensor, path in backend.table_fill.assets.items()}
    for tensor in backend.graph.get_collection(v1.GraphKeys.ASSET_FILEPATHS):
        path = tf.get_static_value(tensor)
        if path is not None and tensor.name not in files:
            files[tensor.name] = Path(os.fsdecode(path.item()))
    gone = next((path for path in files.values() if not path.is_file()), None)
    if gone is not None:
        msg = f"{label} cannot be saved: the file {gone}, from which one of its tables is filled, is not there any more"
        raise SaveError(msg)
    return files


def _holding_paths(graph: Any, assets: Mapping[str, Path]) -> dict[str, str]:
    """Return the variables that hold an asset's path on this machine, with the operation that sets each."""
    path_tensors = [graph.get_tensor_by_name(tensor) for tensor in assets]
    consumers = [consumer for path in path_tensors for consumer in path.consumers()]
    return {op.inputs[0].op.name: op.name for op in consumers if op.type == "AssignVariableOp"}


def _copy_assets(folder: Path, assets: Mapping[str, Path]) -> dict[str, str]:
    """Copy the files into the SavedModel's folder, and return the name of each by its tensor."""
    files = list(dict.fromkeys(assets.values()))
    names = dict(zip(files, unique(path.name for path in files), strict=True))
    if names:
        (folder / "assets").mkdir()
    for path, name in names.items():
        shutil.copyfile(path, folder / "assets" / name)
    return {tensor: names[path] for tensor, path in assets.items()}
