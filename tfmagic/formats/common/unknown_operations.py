"""Leaves out what needs operations that TensorFlow does not have, where the chosen outputs do without."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import control_flow_pb2

from tfmagic.graphdef.walk import (
    bodies,
    data_inputs,
    descendants,
    functions_named,
    output_index,
    producer,
    remove_nodes,
)
from tfmagic.runtime.tensorflow.private import registered_operation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Pairs = Sequence[tuple[str, str]] | None

_CONTEXTS: dict[str, Any] = {
    "cond_context": control_flow_pb2.CondContextDef,
    "while_context": control_flow_pb2.WhileContextDef,
}


def leave_out_unknown(definition: Any, outputs: Pairs, inputs: Pairs, collections: Any = None) -> list[str]:
    """Make nothing of the nodes that need unknown operations, and return a note, unless the outputs need them.

    `outputs` and `inputs` are pairs of a name and its tensor; without outputs nothing is left out. An input that such
    an operation gives becomes a placeholder. Nodes keep their places.
    """
    unknown, functions = unknown_operations(definition)
    if outputs is None or not unknown:
        return []
    nodes = {node.name: node for node in definition.node}
    lost = descendants(nodes, unknown)
    fed = {producer(where) for _, where in inputs or () if producer(where) in lost}
    dtypes = {name: _dtype_of(nodes, name) for name in fed}
    # What only the inputs lead to is not lost.
    lost = descendants({name: node for name, node in nodes.items() if name not in fed}, unknown.keys() - fed) - fed
    if not all(dtypes.values()) or any(producer(where) in lost for _, where in outputs):
        return []
    for name in fed:
        _become(nodes[name], "Placeholder")
        nodes[name].attr["dtype"].type = dtypes[name]
    for name in lost:
        _become(nodes[name], "NoOp")
    remove_nodes(definition.library.function, lambda function: function.signature.name in functions)
    remove_nodes(definition.library.gradient, lambda gradient: gradient.function_name in functions)
    for key, collection in (collections or {}).items():
        _forget(key, collection, lost)
    kinds = ", ".join(sorted({repr(op) for op in unknown.values()}))
    return [f"operations that need {kinds}, which is not loaded, are left out: the outputs do without"]


def unknown_operations(definition: Any) -> tuple[dict[str, str], set[str]]:
    """Return the unknown operation that each such node needs, and the functions that need one."""
    library = {function.signature.name: function for function in definition.library.function}
    types = {node.op for nodes in bodies(definition) for node in nodes}
    absent = {op for op in types if op not in library and registered_operation(op) is None}
    lacking = _lacking(library, absent)
    unknown: dict[str, str] = {}
    for node in definition.node:
        if node.op in absent:
            unknown[node.name] = node.op
        elif lacking:
            unknown.update((node.name, lacking[name]) for name in functions_named(node) if name in lacking)
    return unknown, set(lacking)


def _lacking(library: Mapping[str, Any], absent: Collection[str]) -> dict[str, str]:
    """Return the unknown operation that each such function needs, itself or through another."""
    lacking: dict[str, str] = {}
    callers: defaultdict[str, list[str]] = defaultdict(list)
    for name, function in library.items():
        for node in function.node_def:
            if node.op in absent:
                lacking[name] = node.op
            for called in functions_named(node):
                callers[called].append(name)
    waiting = list(lacking)
    while waiting:
        called = waiting.pop()
        for caller in callers[called]:
            if caller not in lacking:
                lacking[caller] = lacking[called]
                waiting.append(caller)
    return lacking


def _dtype_of(nodes: Mapping[str, Any], name: str) -> int:
    """Return the dtype of a node's first output, told by its operation or by one that consumes it; 0 if unknown."""
    own = registered_operation(nodes[name].op)
    if own is not None and own.output_arg:
        return _dtype_in(nodes[name], own.output_arg[0])
    for node in nodes.values():
        operation = registered_operation(node.op)
        for place, edge in enumerate(data_inputs(node)):
            if producer(edge) == name and not output_index(edge) and operation is not None:
                arguments = list(operation.input_arg)
                # Lists of tensors of one dtype have one argument for several inputs.
                dtype = _dtype_in(node, arguments[min(place, len(arguments) - 1)])
                if dtype:
                    return dtype
    return 0


def _dtype_in(node: Any, argument: Any) -> int:
    return int(argument.type or (node.attr[argument.type_attr].type if argument.type_attr in node.attr else 0))


def _become(node: Any, op: str) -> None:
    node.op = op
    del node.input[:]
    node.attr.clear()


def _forget(key: str, collection: Any, lost: Collection[str]) -> None:
    """Delete from a collection what names operations that are lost."""
    names = collection.node_list.value
    kept = [name for name in names if producer(name) not in lost]
    if len(kept) < len(names):
        del names[:]
        names.extend(kept)
    if key in _CONTEXTS:
        messages = collection.bytes_list.value
        whole = [one for one in messages if not _names_in(_CONTEXTS[key].FromString(one)) & set(lost)]
        del messages[:]
        messages.extend(whole)
    elif key.endswith("variables"):
        messages = collection.bytes_list.value
        for index, message in enumerate(messages):
            variable = variable_pb2.VariableDef.FromString(message)
            if producer(variable.initial_value_name) in lost:
                variable.initial_value_name = ""
                messages[index] = variable.SerializeToString()


def _names_in(context: Any) -> set[str]:
    """Return the operations that a condition or loop of TF1 names."""
    named = {context.pivot_name, *context.values_def.values, *context.values_def.external_values.values()}
    return {producer(name) for name in named}
