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
    """Add variables to the default graph in one import, and return ``tf.Variable`` objects in the same order.

    The initialiser of each takes its value from a placeholder: running all initialisers by hand is an error, and does
    not overwrite what was loaded.
    """
    definition = v1.GraphDef()
    definition.versions.CopyFrom(graph.graph_def_versions)
    for variable in variables:
        _add(definition, variable)
    tf.import_graph_def(definition, name="")
    added = [variable_from(_definition(variable)) for variable in variables]
    for variable, handle in zip(variables, added, strict=True):
        graph.add_to_collection(v1.GraphKeys.GLOBAL_VARIABLES, handle)
        if variable.trainable:
            graph.add_to_collection(v1.GraphKeys.TRAINABLE_VARIABLES, handle)
        values_of(graph).use_assignment(variable.name, f"{_fed(variable)}:0", _assign(variable))
    return added


def _fed(variable: FedVariable) -> str:
    return f"{OURS}initial/{variable.name}"


def _assign(variable: FedVariable) -> str:
    return f"{variable.name}/Assign"


def _read(variable: FedVariable) -> str:
    return f"{variable.name}/Read/ReadVariableOp"


def _add(definition: Any, variable: FedVariable) -> None:
    dtype = tf.as_dtype(variable.dtype).as_datatype_enum
    shape = tf.TensorShape(variable.shape).as_proto()
    handle = definition.node.add(name=variable.name, op="VarHandleOp")
    handle.attr["dtype"].type = dtype
    handle.attr["shape"].shape.CopyFrom(shape)
    handle.attr["shared_name"].s = variable.name.encode()
    fed = definition.node.add(name=_fed(variable), op="Placeholder")
    fed.attr["dtype"].type = dtype
    fed.attr["shape"].shape.CopyFrom(shape)
    assign = definition.node.add(name=_assign(variable), op="AssignVariableOp", input=[variable.name, fed.name])
    assign.attr["dtype"].type = dtype
    read = definition.node.add(name=_read(variable), op="ReadVariableOp", input=[variable.name])
    read.attr["dtype"].type = dtype


def _definition(variable: FedVariable) -> Any:
    return variable_pb2.VariableDef(
        variable_name=f"{variable.name}:0",
        initial_value_name=f"{_fed(variable)}:0",
        initializer_name=_assign(variable),
        snapshot_name=f"{_read(variable)}:0",
        is_resource=True,
        trainable=variable.trainable,
    )
