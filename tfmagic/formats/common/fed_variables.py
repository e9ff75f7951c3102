"""Variables whose values come from a file or a live object, and not from an initialiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2

from tfmagic.runtime.state.variables_io import OURS, values_of
from tfmagic.runtime.tensorflow.private import variable_from

if TYPE_CHECKING:
    from collections.abc import Sequence

v1 = tf.compat.v1


@dataclass(frozen=True)
class FedVariable:
    """A variable to add. No other operation has its name; an optimiser may change it where it is ``trainable``."""

    name: str
    dtype: Any
    shape: Sequence[int]
    trainable: bool


def add_fed_variables(graph: Any, variables: Sequence[FedVariable]) -> list[Any]:
    """Add variables to the default graph in one import, and return ``tf.Variable`` objects in the same order."""
    # The initialiser of each takes a placeholder's value: running it by hand is an error, and overwrites nothing.
    definition = v1.GraphDef()
    definition.versions.CopyFrom(graph.graph_def_versions)
    described = [_add(definition, variable) for variable in variables]
    tf.import_graph_def(definition, name="")
    added = [variable_from(description) for description in described]
    for variable, description, handle in zip(variables, described, added, strict=True):
        graph.add_to_collection(v1.GraphKeys.GLOBAL_VARIABLES, handle)
        if variable.trainable:
            graph.add_to_collection(v1.GraphKeys.TRAINABLE_VARIABLES, handle)
        values_of(graph).use_assignment(variable.name, description.initial_value_name, description.initializer_name)
    return added


def _add(definition: Any, variable: FedVariable) -> Any:
    """Add the nodes of a variable to a ``GraphDef``, and return its ``VariableDef``."""
    name = variable.name
    handle = definition.node.add(name=name, op="VarHandleOp")
    handle.attr["shared_name"].s = name.encode()
    fed = definition.node.add(name=f"{OURS}initial/{name}", op="Placeholder")
    for node in (handle, fed):
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(variable.shape).as_proto())
    assign = definition.node.add(name=f"{name}/Assign", op="AssignVariableOp", input=[name, fed.name])
    read = definition.node.add(name=f"{name}/Read/ReadVariableOp", op="ReadVariableOp", input=[name])
    for node in (handle, fed, assign, read):
        node.attr["dtype"].type = tf.as_dtype(variable.dtype).as_datatype_enum
    return variable_pb2.VariableDef(
        variable_name=f"{name}:0",
        initial_value_name=f"{fed.name}:0",
        initializer_name=assign.name,
        snapshot_name=f"{read.name}:0",
        is_resource=True,
        trainable=variable.trainable,
    )
