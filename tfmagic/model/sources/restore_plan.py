"""Which checkpoint key each variable of a SavedModel is restored from.

A SavedModel does not say so in a table: it has an operation that restores
everything. That operation is read here, in the forms in which TensorFlow writes
it: a tree of ``Assign`` (v1), or a function of ``AssignVariableOp`` (v2), both fed
by ``RestoreV2``. With the keys known, only the variables that are used need to be
restored, and the graph can do without everything that only saves and restores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ASSIGNMENTS = {"Assign", "AssignVariableOp"}
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
_PASSES_ON = {"Identity", "NoOp"}

SCOPE = "tfmagic_restore"

PREFIX = f"{SCOPE}/prefix"
"""The placeholder for the checkpoint's path, in a graph that restores by a plan."""

DONE = f"{SCOPE}/done"
"""The operation that restores everything in the plan."""


@dataclass(frozen=True)
class Saved:
    """Where a variable's value is in the checkpoint."""

    key: str
    dtype: int


Plan = dict[str, Saved]
"""What is to be restored, by the variable's node."""


class _UnknownFormError(Exception):
    """The restore operation is none that can be read."""


def restore_plan(meta: Any) -> Plan | None:
    """Return what restores each variable of a ``MetaGraphDef``, None if that cannot be read."""
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    restore = nodes.get(meta.saver_def.restore_op_name)
    if restore is None:
        return {}
    try:
        if restore.op in {"PartitionedCall", "StatefulPartitionedCall"}:
            return _of_function(restore, nodes, functions)
        plan: Plan = {}
        _collect(restore, nodes, plan, set())
    except (_UnknownFormError, KeyError, IndexError):
        return None
    return plan


def _of_function(call: Any, nodes: Mapping[str, Any], functions: Mapping[str, Any]) -> Plan:
    function = functions[call.attr["f"].func.name]
    given = dict(zip((arg.name for arg in function.signature.input_arg), call.input, strict=True))
    body = {node.name: node for node in function.node_def}
    plan: Plan = {}
    for node in function.node_def:
        if node.op in _ASSIGNMENTS:
            variable = nodes[_name(given[_name(node.input[0])])]
            _note(plan, variable, _restored(node.input[1], body))
        elif node.op not in {"Const", "RestoreV2", *_PASSES_ON}:
            raise _UnknownFormError(node.op)
    return plan


def _collect(node: Any, nodes: Mapping[str, Any], plan: Plan, seen: set[str]) -> None:
    if node.name in seen:
        return
    seen.add(node.name)
    if node.op in _ASSIGNMENTS:
        _note(plan, nodes[_name(node.input[0])], _restored(node.input[1], nodes))
    elif node.op in _PASSES_ON:
        for name in node.input:
            _collect(nodes[_name(name)], nodes, plan, seen)
    else:
        raise _UnknownFormError(node.op)


def _note(plan: Plan, variable: Any, saved: Saved) -> None:
    if variable.op not in _VARIABLES:
        raise _UnknownFormError(variable.op)
    plan[variable.name] = saved


def _restored(value: str, nodes: Mapping[str, Any]) -> Saved:
    """Return the key that `value` was read from: ``RestoreV2:3``, or an ``Identity`` of it."""
    node = nodes[_name(value)]
    while node.op == "Identity":
        value = node.input[0]
        node = nodes[_name(value)]
    if node.op != "RestoreV2":
        raise _UnknownFormError(node.op)
    # "RestoreV2:3" in a graph, "RestoreV2:tensors:3" in a function's body.
    last = value.rsplit(":", 1)[-1]
    index = int(last) if last.isdigit() else 0
    if any(_texts(nodes[_name(node.input[2])])):
        raise _UnknownFormError(node.name)  # a slice of a partitioned variable
    return Saved(_texts(nodes[_name(node.input[1])])[index].decode(), node.attr["dtypes"].list.type[index])


def _texts(node: Any) -> list[bytes]:
    if node.op != "Const":
        raise _UnknownFormError(node.op)
    return [bytes(text) for text in np.atleast_1d(tf.make_ndarray(node.attr["value"].tensor))]


def _name(edge: str) -> str:
    return edge.lstrip("^").split(":")[0]


def add_restore(graph_def: Any, plan: Plan, variables: Iterable[str], scope: str = SCOPE) -> None:
    """Add to a ``GraphDef`` what restores these variables: ``SCOPE/prefix`` is fed, ``SCOPE/done`` is run."""
    by_name = {node.name: node for node in graph_def.node}
    wanted = [name for name in variables if name in plan]
    prefix = graph_def.node.add(name=f"{scope}/prefix", op="Placeholder")
    prefix.attr["dtype"].type = tf.string.as_datatype_enum
    prefix.attr["shape"].shape.SetInParent()
    done = graph_def.node.add(name=f"{scope}/done", op="NoOp")
    if not wanted:
        return
    _constant(graph_def, f"{scope}/keys", [plan[name].key for name in wanted])
    _constant(graph_def, f"{scope}/slices", [""] * len(wanted))
    restore = graph_def.node.add(name=f"{scope}/restore", op="RestoreV2")
    restore.input.extend([prefix.name, f"{scope}/keys", f"{scope}/slices"])
    restore.attr["dtypes"].list.type.extend(plan[name].dtype for name in wanted)
    for index, name in enumerate(wanted):
        resource = by_name[name].op == "VarHandleOp"
        assign = graph_def.node.add(name=f"{scope}/assign_{index}", op="AssignVariableOp" if resource else "Assign")
        assign.input.extend([name, f"{scope}/restore:{index}"])
        assign.attr["dtype" if resource else "T"].type = plan[name].dtype
        done.input.append(f"^{assign.name}")


def _constant(graph_def: Any, name: str, texts: list[str]) -> None:
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(texts, dtype=tf.string, shape=[len(texts)]))
