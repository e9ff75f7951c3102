"""The signatures in a ``MetaGraphDef``; a sparse or ragged tensor is one input or output for each of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.core.protobuf import struct_pb2

from tfmagic.core.naming import first_repeated
from tfmagic.execution.signature.signature import DEFAULT, Signature, TensorSpec
from tfmagic.formats.common.unknown_operations import unknown_operations
from tfmagic.graphdef.walk import ancestors, producer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

INIT = "__saved_model_init_op"
_NOT_FOR_CALLING = {INIT, "__saved_model_train_op"}


def signatures_of(meta: Any) -> tuple[dict[str, Signature], list[str]]:
    """Return the signatures that can be called, and notes on the others."""
    signatures: dict[str, Signature] = {}
    notes: list[str] = []
    nodes = {node.name for node in meta.graph_def.node}
    for name in sorted(meta.signature_def, key=lambda name: (name != DEFAULT, name)):
        definition = meta.signature_def[name]
        if name in _NOT_FOR_CALLING or not definition.outputs:
            continue
        signature = Signature(
            name,
            tuple(spec for key in sorted(definition.inputs) for spec in _specs(key, definition.inputs[key])),
            tuple(spec for key in sorted(definition.outputs) for spec in _specs(key, definition.outputs[key])),
        )
        reason = _unusable(signature, nodes)
        if reason:
            notes.append(f"signature {name!r} {reason} and is left out")
        else:
            signatures[name] = signature
    return signatures, notes


def _unusable(signature: Signature, nodes: Collection[str]) -> str:
    """Return why a signature cannot be called; nothing for one that can."""
    for specs in (signature.inputs, signature.outputs):
        names = [spec.name for spec in specs]
        twice = first_repeated(names)
        if twice is not None:
            return f"has two tensors for {twice!r}"
    for spec in (*signature.inputs, *signature.outputs):
        tensor = str(spec.tensor)
        if not spec.tensor:
            return f"has no tensor for {spec.name!r}"
        if producer(tensor) not in nodes:
            return f"names {tensor!r} for {spec.name!r}, which its graph does not have,"
        if ":" not in tensor:
            return f"names the operation {tensor!r} for {spec.name!r}, and not a tensor,"
    return ""


def usable_signatures(meta: Any, requested: str | None) -> tuple[dict[str, Signature], list[str]]:
    """Return the signatures whose operations TensorFlow has, or the default one has whatever it needs; and notes."""
    signatures, notes = signatures_of(meta)
    unknown, _ = unknown_operations(meta.graph_def)
    if not unknown:
        return signatures, notes
    nodes = {node.name: node for node in meta.graph_def.node}
    kept = requested or (DEFAULT if DEFAULT in signatures else next(iter(signatures), None))
    for name in [name for name in signatures if name != kept]:
        needed = ancestors(nodes, [str(spec.tensor) for spec in (*signatures[name].inputs, *signatures[name].outputs)])
        lacking = next((unknown[node] for node in needed if node in unknown), None)
        if lacking is not None:
            del signatures[name]
            notes.append(f"signature {name!r} needs the custom operation {lacking!r}, not loaded, and is left out")
    return signatures, notes


def _specs(name: str, info: Any) -> Iterator[TensorSpec]:
    """Give an input or output of a signature; of a sparse or ragged tensor its parts."""
    encoding = info.WhichOneof("encoding")
    if encoding == "coo_sparse":
        # TensorFlow's loader gives them the same names.
        rank = None if info.tensor_shape.unknown_rank else len(info.tensor_shape.dim)
        sparse, dtype = info.coo_sparse, tf.as_dtype(info.dtype).base_dtype.name
        yield TensorSpec(f"{name}_indices", "int64", (None, rank), sparse.indices_tensor_name)
        yield TensorSpec(f"{name}_values", dtype, (None,), sparse.values_tensor_name)
        yield TensorSpec(f"{name}_dense_shape", "int64", (rank,), sparse.dense_shape_tensor_name)
    elif encoding == "composite_tensor":
        composite = info.composite_tensor
        for part, component in zip(_parts(composite), composite.components, strict=True):
            yield _spec(f"{name}_{part}", component)
    else:
        yield _spec(name, info)


def _parts(composite: Any) -> list[str]:
    """Return what the components of a composite tensor are called."""
    count, kind = len(composite.components), composite.type_spec.type_spec_class
    if kind == struct_pb2.TypeSpecProto.SPARSE_TENSOR_SPEC and count == 3:
        return ["indices", "values", "dense_shape"]
    if kind == struct_pb2.TypeSpecProto.RAGGED_TENSOR_SPEC and count == 2:
        return ["flat_values", "row_splits"]
    if kind == struct_pb2.TypeSpecProto.RAGGED_TENSOR_SPEC:
        return ["flat_values", *(f"row_splits_{number}" for number in range(count - 1))]
    return [str(number) for number in range(count)]


def _spec(name: str, info: Any) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)
    return TensorSpec(name, tf.as_dtype(info.dtype).base_dtype.name, sizes, info.name)
