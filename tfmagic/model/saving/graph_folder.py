"""A graph with its variables as a SavedModel folder.

TensorFlow's own writers need the Python objects of variables and the whole of the
weights once more; a graph that was read from a file has no such objects, and the
weights are written here as they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.model.saving.assets import assets_of, copy_assets, holding_paths
from tfmagic.model.saving.checkpoint import write_checkpoint
from tfmagic.model.saving.definition import check_size, definition_of, ends_of
from tfmagic.model.saving.saver_nodes import SaverNodes
from tfmagic.model.saving.table_state import read_tables, tables_of
from tfmagic.model.saving.written import Written
from tfmagic.model.sources.meta_graph import SERVE
from tfmagic.model.sources.pruning import reached, variable_nodes
from tfmagic.model.variables import table_initialisers_of
from tfmagic.runtime.quiet import without_warnings
from tfmagic.runtime.session import KernelSession
from tfmagic.runtime.values import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from tfmagic.model.graph_mode import GraphMode
    from tfmagic.model.signature import Signature, TensorSpec

v1 = tf.compat.v1

_VARIABLES = v1.GraphKeys.GLOBAL_VARIABLES
_SEEN_BY_LOADERS = (_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES)
_MAIN_OP = "saved_model_main_op"
# Of a graph that was imported whole: each is written anew.
_WRITTEN_ANEW = (_MAIN_OP, "legacy_init_op", "saved_model_assets")


def write_graph_folder(folder: Path, mode: GraphMode) -> Written:
    """Write a graph model as a SavedModel.

    Parameters
    ----------
    folder
        An empty folder.
    mode
        The model.

    Raises
    ------
    SaveError
        When a SavedModel cannot hold it.
    """
    graph, label = mode.graph, mode.room.label
    assets = assets_of(mode)
    names = copy_assets(label, folder, assets)
    tables = tables_of(graph)
    paths = holding_paths(graph, assets)

    def values() -> Iterator[tuple[str, np.ndarray]]:
        wanted = [name for name in values_of(graph).names() if name not in paths]
        yield from mode.values(wanted)
        yield from read_tables(graph, KernelSession().open(graph), tables)

    definition = definition_of(mode, mode.signatures.values())
    check_size(label, definition)
    checkpoint = write_checkpoint(folder / "variables" / "variables", values())
    variables = variable_nodes(definition)
    used = reached(definition, ends_of(mode.signatures.values()))
    saver = SaverNodes(definition, variables, tables, checkpoint)
    main_op = saver.add_group("begin", _initialisers(mode, definition))

    meta = _meta_graph(graph, definition, saver.saver_def)
    for key in _WRITTEN_ANEW:
        if key in meta.collection_def:
            del meta.collection_def[key]
    # Also where there is nothing to do: without one, TensorFlow 2's loader gives local variables their first values.
    meta.collection_def[_MAIN_OP].node_list.value.append(main_op)
    _describe_variables(meta, variables, saver)
    for tensor, name in names.items():
        meta.asset_file_def.add(filename=name).tensor_info.name = tensor
    for signature in mode.signatures.values():
        meta.signature_def[signature.name].CopyFrom(_signature_def(graph, signature))
    _write_message(label, folder, meta)

    saved = [name for name in variables if name in checkpoint.dtypes]
    return Written(
        len(saved),
        sum(1 for name in saved if name not in used),
        checkpoint.checksums,
        tuple(_left_out(mode, [name for name in values_of(graph).names() if name not in {*saved, *paths}])),
    )


def _initialisers(mode: GraphMode, definition: Any) -> list[str]:
    """Return the operations that fill the tables: those of the file, then those that a cell has added."""
    theirs = [name.split(":")[0] for name in mode.startup.initialisers]
    known = reached(definition, theirs)
    return [*theirs, *(op.name for op in table_initialisers_of(mode.graph) if op.name not in known)]


def _meta_graph(graph: Any, definition: Any, saver_def: Any) -> Any:
    # It warns of each collection with Python objects in it, which no file can hold.
    with without_warnings():
        meta = v1.train.export_meta_graph(graph_def=definition, graph=graph, saver_def=saver_def)
    meta.meta_info_def.tags.append(SERVE)
    return meta


def _describe_variables(meta: Any, variables: list[str], saver: SaverNodes) -> None:
    """Add the variables that are in no collection, as those of a loaded graph are.

    TensorFlow 2's loader makes variables of those alone that the collections have.
    """
    from tensorflow.core.framework import variable_pb2

    nodes = {node.name: node for node in meta.graph_def.node}
    packed = [one for key in _SEEN_BY_LOADERS for one in meta.collection_def[key].bytes_list.value]
    known = {variable_pb2.VariableDef.FromString(one).variable_name.split(":")[0] for one in packed}
    for name in variables:
        if name not in known and name in saver.assignments:
            described = variable_pb2.VariableDef(
                variable_name=f"{name}:0",
                initializer_name=saver.assignments[name],
                snapshot_name=f"{saver.readers[name]}:0",
                is_resource=nodes[name].op == "VarHandleOp",
            )
            meta.collection_def[_VARIABLES].bytes_list.value.append(described.SerializeToString())


def _signature_def(graph: Any, signature: Signature) -> Any:
    from tensorflow.core.protobuf import meta_graph_pb2

    made = meta_graph_pb2.SignatureDef(method_name=v1.saved_model.signature_constants.PREDICT_METHOD_NAME)
    for spec in signature.inputs:
        _describe_end(made.inputs[spec.name], graph, spec)
    for spec in signature.outputs:
        _describe_end(made.outputs[spec.name], graph, spec)
    return made


def _describe_end(info: Any, graph: Any, spec: TensorSpec) -> None:
    tensor = graph.get_tensor_by_name(spec.tensor)
    shape = tensor.shape if spec.shape is None else tf.TensorShape(spec.shape)
    info.name = tensor.name
    info.dtype = tensor.dtype.base_dtype.as_datatype_enum
    info.tensor_shape.CopyFrom(shape.as_proto())


def _write_message(label: str, folder: Path, meta: Any) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    message.meta_graphs.append(meta)
    check_size(label, message)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())


def _left_out(mode: GraphMode, uninitialised: list[str]) -> Iterator[str]:
    if uninitialised:
        noun = "variable has" if len(uninitialised) == 1 else "variables have"
        listed = ", ".join(uninitialised[:3]) + (", …" if len(uninitialised) > 3 else "")
        yield f"{len(uninitialised)} {noun} no value yet and is not in it: {listed}".replace(
            "variables have no value yet and is", "variables have no value yet and are"
        )
    if mode.startup.unused:
        noun = "variable" if mode.startup.unused == 1 else "variables"
        yield f"{mode.startup.unused} {noun} of {mode.room.label}'s own file that nothing uses were not loaded"
