"""A SavedModel's graph without what its signatures do not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.graphdef.call_depth import functions_named

if TYPE_CHECKING:
    from collections.abc import Iterable

_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}

# Collections of VariableDef messages.
_OF_VARIABLES = ("variables", "trainable_variables", "local_variables", "model_variables", "moving_average_variables")


def pruned(meta: Any, roots: Iterable[str]) -> tuple[Any, dict[str, list[Any]]]:
    """Return the part of a graph that these nodes depend on, and the variables in it.

    Parameters
    ----------
    meta
        A ``MetaGraphDef``; it is left as it is.
    roots
        Names of nodes or tensors to keep, with everything they depend on.

    Returns
    -------
    tuple
        A ``GraphDef``, and by collection the ``VariableDef`` messages of the
        variables that are left, whose initialisers are kept, too.
    """
    source = meta.graph_def
    nodes = {node.name: node for node in source.node}
    kept: set[str] = set()
    _reach(roots, nodes, kept)
    collections = _variables(meta, kept)
    for definitions in collections.values():
        for definition in definitions:
            ends = (definition.initializer_name, definition.snapshot_name, definition.initial_value_name)
            _reach((end for end in ends if end), nodes, kept)
    part = tf.compat.v1.GraphDef()
    part.versions.CopyFrom(source.versions)
    for node in source.node:
        if node.name in kept:
            _let_go_of_the_absent(part.node.add(), node, kept)
    _copy_library(part, source.library)
    return part, collections


def variable_nodes(graph_def: Any) -> list[str]:
    """Return the names of the nodes that are variables."""
    return [node.name for node in graph_def.node if node.op in _VARIABLES]


def reached(graph_def: Any, roots: Iterable[str]) -> set[str]:
    """Return the names of the nodes that these nodes or tensors depend on, themselves included."""
    found: set[str] = set()
    _reach(roots, {node.name: node for node in graph_def.node}, found)
    return found


def _reach(roots: Iterable[str], nodes: dict[str, Any], kept: set[str]) -> None:
    waiting = [_name(root) for root in roots]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting.extend(_name(edge) for edge in nodes[name].input)


def _name(edge: str) -> str:
    return edge.lstrip("^").split(":")[0]


def _variables(meta: Any, kept: set[str]) -> dict[str, list[Any]]:
    from tensorflow.core.framework import variable_pb2

    found: dict[str, list[Any]] = {}
    for collection in _OF_VARIABLES:
        if collection in meta.collection_def:
            packed = meta.collection_def[collection].bytes_list.value
            definitions = [variable_pb2.VariableDef.FromString(one) for one in packed]
            found[collection] = [one for one in definitions if _name(one.variable_name) in kept]
    return found


def _let_go_of_the_absent(copy: Any, node: Any, kept: set[str]) -> None:
    """Copy a node without the wish to stand beside one that is not kept."""
    copy.CopyFrom(node)
    beside = [place for place in copy.attr["_class"].list.s if place.decode().removeprefix("loc:@") in kept]
    if len(beside) == len(node.attr["_class"].list.s):
        if not beside:
            del copy.attr["_class"]
        return
    del copy.attr["_class"]
    if beside:
        copy.attr["_class"].list.s.extend(beside)


def called_functions(nodes: Iterable[Any], library: Any) -> list[Any]:
    """Return the functions of a library that these nodes call, or that one of those calls."""
    called = _called(nodes, library)
    return [function for function in library.function if function.signature.name in called]


def _copy_library(part: Any, library: Any) -> None:
    """Copy the functions that are called, by a node or by one another."""
    called = _called(part.node, library)
    part.library.function.extend(one for one in library.function if one.signature.name in called)
    part.library.gradient.extend(one for one in library.gradient if one.function_name in called)


def _called(nodes: Iterable[Any], library: Any) -> set[str]:
    functions = {function.signature.name: function for function in library.function}
    gradients = {gradient.function_name: gradient for gradient in library.gradient}
    called: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for name in functions_named(waiting.pop()):
            if name in functions and name not in called:
                called.add(name)
                waiting.extend(functions[name].node_def)
                if name in gradients:
                    waiting.append(_calling(gradients[name].gradient_func))
    return called


def _calling(function: str) -> Any:
    return tf.compat.v1.NodeDef(op=function)


def one_node_a_variable(definition: Any) -> None:
    """Have the first of several nodes that are one variable stand for all of them.

    In a session they are one by their name; TensorFlow 2's loader makes a variable
    of each.
    """
    first: dict[tuple[bytes, bytes], str] = {}
    same: dict[str, str] = {}
    for node in definition.node:
        if node.op in {"VarHandleOp", "VariableV2"}:
            key = (node.attr["container"].s, node.attr["shared_name"].s or node.name.encode())
            if first.setdefault(key, node.name) != node.name:
                same[node.name] = first[key]
    if not same:
        return
    for node in definition.node:
        for index, edge in enumerate(node.input):
            mark = "^" if edge.startswith("^") else ""
            name, colon, output = edge.removeprefix("^").partition(":")
            if name in same:
                node.input[index] = f"{mark}{same[name]}{colon}{output}"


def keep_only(definition: Any, outputs: Iterable[str]) -> None:
    """Leave of a graph what these operations depend on, and the functions that it calls."""
    kept = reached(definition, outputs)
    for index in range(len(definition.node) - 1, -1, -1):
        node = definition.node[index]
        if node.name not in kept:
            del definition.node[index]
        elif "_class" in node.attr:
            # What stood beside a variable stands by itself: a constant may be anywhere.
            del node.attr["_class"]
    library = definition.library
    called = {function.signature.name for function in called_functions(definition.node, library)}
    for index in range(len(library.function) - 1, -1, -1):
        if library.function[index].signature.name not in called:
            del library.function[index]
    # Of the functions as they were; a frozen graph is not to be trained.
    del library.gradient[:]
