"""Which checkpoint key each variable of a SavedModel is restored from.

A SavedModel has no table of that, only an operation that restores everything. It is read here in the two forms that
TensorFlow writes: a tree of ``Assign`` (v1), or a function of ``AssignVariableOp`` (v2), both fed by ``RestoreV2``.
With the keys known, only the variables that are used are restored, and the graph needs nothing that saves and restores.
Reading and checking large values takes the time, so every core takes a share of them.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

from tfmagic.graphdef.op_types import PARTITIONED_CALLS, VARIABLES
from tfmagic.graphdef.walk import data_inputs, output_index, producer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path


_ASSIGNMENTS = {"Assign", "AssignVariableOp"}
_PASSES_ON = {"Identity", "NoOp"}
# Each reader opens the checkpoint, which takes as long as reading a tenth of these bytes.
_WORTH_A_READER_BYTES = 4_000_000
# TensorFlow itself uses so many threads for larger values.
_READERS = 8

SCOPE = "tfmagic_restore"

PREFIX = f"{SCOPE}/prefix"
"""The placeholder for the checkpoint's path, in a graph that restores by a plan."""

DONE = f"{SCOPE}/done"
"""The operation that restores everything in the plan."""


@dataclass(frozen=True)
class CheckpointEntry:
    """Where a variable's value is in the checkpoint."""

    key: str
    dtype: int


Plan = dict[str, CheckpointEntry]
"""What is to be restored, by the variable's node."""


class _UnknownFormError(Exception):
    """The restore operation has a form that is not known."""


def restore_plan(meta: Any) -> Plan | None:
    """Return what restores each variable of a ``MetaGraphDef``, None if that cannot be read."""
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    restore = nodes.get(meta.saver_def.restore_op_name)
    if restore is None:
        return {}
    try:
        if restore.op in PARTITIONED_CALLS:
            return _of_function(restore, nodes, functions)
        return _of_tree(restore, nodes)
    except (_UnknownFormError, KeyError, IndexError):
        return None


def _of_function(call: Any, nodes: Mapping[str, Any], functions: Mapping[str, Any]) -> Plan:
    function = functions[call.attr["f"].func.name]
    given = dict(zip((arg.name for arg in function.signature.input_arg), call.input, strict=True))
    body = {node.name: node for node in function.node_def}
    plan: Plan = {}
    for node in function.node_def:
        if node.op in _ASSIGNMENTS:
            variable = nodes[producer(given[producer(node.input[0])])]
            _note(plan, variable, _restored(node.input[1], body))
        elif node.op not in {"Const", "RestoreV2", *_PASSES_ON}:
            raise _UnknownFormError(node.op)
    return plan


def _of_tree(root: Any, nodes: Mapping[str, Any]) -> Plan:
    plan: Plan = {}
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op in _ASSIGNMENTS:
            _note(plan, nodes[producer(node.input[0])], _restored(node.input[1], nodes))
        elif node.op in _PASSES_ON:
            waiting.extend(nodes[producer(name)] for name in node.input)
        else:
            raise _UnknownFormError(node.op)
    return plan


def _note(plan: Plan, variable: Any, saved: CheckpointEntry) -> None:
    if variable.op not in VARIABLES:
        raise _UnknownFormError(variable.op)
    plan[variable.name] = saved


def _restored(value: str, nodes: Mapping[str, Any]) -> CheckpointEntry:
    """Return the key that `value` was read from: ``RestoreV2:3``, or an ``Identity`` of it."""
    node = nodes[producer(value)]
    seen: set[str] = set()
    while node.op == "Identity" and node.name not in seen:
        # A damaged graph can go in circles.
        seen.add(node.name)
        value = node.input[0]
        node = nodes[producer(value)]
    if node.op != "RestoreV2":
        raise _UnknownFormError(node.op)
    index = output_index(value)
    if any(_texts(nodes[producer(node.input[2])])):
        raise _UnknownFormError(node.name)  # a slice of a partitioned variable
    return CheckpointEntry(_texts(nodes[producer(node.input[1])])[index].decode(), node.attr["dtypes"].list.type[index])


def _texts(node: Any) -> list[bytes]:
    if node.op != "Const":
        raise _UnknownFormError(node.op)
    return [bytes(text) for text in np.atleast_1d(tf.make_ndarray(node.attr["value"].tensor))]


def most_readers() -> int:
    """Return how many operations can read a checkpoint in parallel: as many as this process has cores."""
    return min(len(os.sched_getaffinity(0)), _READERS)


def add_restore(graph_def: Any, plan: Plan, variables: Iterable[str], scope: str = SCOPE, *, readers: int = 1) -> None:
    """Add nodes that restore these variables with several readers: ``SCOPE/prefix`` is fed, ``SCOPE/done`` is run."""
    by_name = {node.name: node for node in graph_def.node}
    wanted = [by_name[name] for name in variables if name in plan]
    prefix = graph_def.node.add(name=f"{scope}/prefix", op="Placeholder")
    prefix.attr["dtype"].type = tf.string.as_datatype_enum
    prefix.attr["shape"].shape.SetInParent()
    done = graph_def.node.add(name=f"{scope}/done", op="NoOp")
    for number, share in enumerate(_shares(wanted, readers)):
        ending = f"_{number}" if number else ""
        add_strings(graph_def, f"{scope}/keys{ending}", [plan[node.name].key for node in share])
        add_strings(graph_def, f"{scope}/slices{ending}", [""] * len(share))
        restore = graph_def.node.add(name=f"{scope}/restore{ending}", op="RestoreV2")
        restore.input.extend([prefix.name, f"{scope}/keys{ending}", f"{scope}/slices{ending}"])
        restore.attr["dtypes"].list.type.extend(plan[node.name].dtype for node in share)
        for index, node in enumerate(share):
            resource = node.op == "VarHandleOp"
            op = "AssignVariableOp" if resource else "Assign"
            assign = graph_def.node.add(name=f"{scope}/assign{ending}_{index}", op=op)
            assign.input.extend([node.name, f"{restore.name}:{index}"])
            assign.attr["dtype" if resource else "T"].type = plan[node.name].dtype
            done.input.append(f"^{assign.name}")


def _shares(nodes: Sequence[Any], most: int) -> list[list[Any]]:
    """Return the variables in up to `most` parts of about the same size, each large enough for a reader."""
    sizes = [_bytes_of(node) for node in nodes]
    count = max(1, min(most, sum(sizes) // _WORTH_A_READER_BYTES))
    shares: list[list[Any]] = [[] for _ in range(count)]
    filled = [0] * count
    for size, node in sorted(zip(sizes, nodes, strict=True), key=lambda pair: -pair[0]):
        least = filled.index(min(filled))
        shares[least].append(node)
        filled[least] += size
    return [share for share in shares if share]


def _bytes_of(variable: Any) -> int:
    """Return the size of a variable; 0 where its node does not tell."""
    shape = variable.attr["shape"].shape
    if shape.unknown_rank:
        return 0
    item = int(tf.as_dtype(variable.attr["dtype"].type).size)
    return math.prod((item, *(max(0, int(dim.size)) for dim in shape.dim)))


def add_strings(graph_def: Any, name: str, texts: list[str]) -> None:
    """Add a constant vector of texts."""
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(texts, dtype=tf.string, shape=[len(texts)]))


_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"


def plan_of_captures(meta: Any, prefix: Path, wanted: Collection[str]) -> Plan:
    """Return where the checkpoint at `prefix` has the `wanted` variables that only a ``tf.function`` captures."""
    objects = meta.object_graph_def
    if not wanted or not objects.nodes:
        return {}
    keys = _keys(objects, prefix)
    nodes = {node.name: node for node in meta.graph_def.node}
    plan: Plan = {}
    for node in meta.graph_def.node:
        name = node.attr["f"].func.name if "f" in node.attr else ""
        if name not in objects.concrete_functions:
            continue
        bound = objects.concrete_functions[name].bound_inputs
        # Captured values come after a function's arguments.
        for edge, at in zip(reversed(data_inputs(node)), reversed(bound), strict=False):
            variable = producer(edge)
            if variable in wanted and at in keys:
                plan[variable] = CheckpointEntry(keys[at], nodes[variable].attr["dtype"].type)
    return plan


def _keys(objects: Any, prefix: Path) -> dict[int, str]:
    """Return the checkpoint key of each variable of a SavedModel: both object graphs are walked in parallel."""
    reader = tf.train.load_checkpoint(str(prefix))
    if not reader.has_tensor(_OBJECTS):
        return {}
    saved = trackable_object_graph_pb2.TrackableObjectGraph.FromString(reader.get_tensor(_OBJECTS))
    in_checkpoint = {0: 0}
    waiting = [0]
    while waiting:
        at = waiting.pop()
        children = {child.local_name: child.node_id for child in saved.nodes[in_checkpoint[at]].children}
        for child in objects.nodes[at].children:
            if child.node_id not in in_checkpoint and child.local_name in children:
                in_checkpoint[child.node_id] = children[child.local_name]
                waiting.append(child.node_id)
    values = (
        (at, next((value.checkpoint_key for value in saved.nodes[other].attributes if value.name == _VALUE), ""))
        for at, other in in_checkpoint.items()
    )
    return {at: key for at, key in values if key}
