"""The part of a graph that some of its nodes depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2

from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.graphdef.walk import ancestors, producer, reachable_functions, redirect_inputs, remove_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

# Collections of VariableDef messages.
_OF_VARIABLES = ("variables", "trainable_variables", "local_variables", "model_variables", "moving_average_variables")


def pruned(meta: Any, roots: Iterable[str]) -> tuple[Any, dict[str, list[Any]]]:
    """Return a ``GraphDef`` of what these nodes or tensors depend on, and its ``VariableDef`` s by collection."""
    source = meta.graph_def
    nodes = {node.name: node for node in source.node}
    kept = ancestors(nodes, roots)
    collections = _variables(meta, kept)
    for definitions in collections.values():
        for definition in definitions:
            ends = (definition.initializer_name, definition.snapshot_name, definition.initial_value_name)
            kept |= ancestors(nodes, filter(None, ends))
    part = tf.compat.v1.GraphDef()
    part.versions.CopyFrom(source.versions)
    for node in source.node:
        if node.name in kept:
            _copy_without_absent_colocations(part.node.add(), node, kept)
    part.library.function.extend(reachable_functions(part.node, source.library))
    names = {function.signature.name for function in part.library.function}
    part.library.gradient.extend(one for one in source.library.gradient if one.function_name in names)
    return part, collections


def variable_nodes(graph_def: Any) -> list[str]:
    """Return the names of the nodes that are variables."""
    return [node.name for node in graph_def.node if node.op in VARIABLES]


def reached(graph_def: Any, roots: Iterable[str]) -> set[str]:
    """Return the names of the nodes that these nodes or tensors depend on, themselves included."""
    return ancestors({node.name: node for node in graph_def.node}, roots)


def _variables(meta: Any, kept: set[str]) -> dict[str, list[Any]]:
    variables: dict[str, list[Any]] = {}
    for collection in _OF_VARIABLES:
        if collection in meta.collection_def:
            messages = meta.collection_def[collection].bytes_list.value
            definitions = [variable_pb2.VariableDef.FromString(message) for message in messages]
            variables[collection] = [one for one in definitions if producer(one.variable_name) in kept]
    return variables


def _copy_without_absent_colocations(copy: Any, node: Any, kept: set[str]) -> None:
    copy.CopyFrom(node)
    present = [place for place in copy.attr["_class"].list.s if place.decode().removeprefix("loc:@") in kept]
    del copy.attr["_class"]
    if present:
        copy.attr["_class"].list.s.extend(present)


def merge_duplicate_variables(definition: Any) -> None:
    """Replace several nodes that are one variable by the first of them."""
    # A session knows a variable by its name; TensorFlow 2's loader would make a variable of each node.
    first: dict[tuple[bytes, bytes], str] = {}
    duplicates: dict[str, str] = {}
    for node in definition.node:
        if node.op in VARIABLES:
            key = (node.attr["container"].s, node.attr["shared_name"].s or node.name.encode())
            if first.setdefault(key, node.name) != node.name:
                duplicates[node.name] = first[key]
    if duplicates:
        redirect_inputs(definition.node, duplicates)


def keep_only(definition: Any, outputs: Iterable[str]) -> None:
    """Delete from a graph the nodes that these do not depend on, and the functions that nothing calls."""
    kept = reached(definition, outputs)
    remove_nodes(definition.node, lambda node: node.name not in kept)
    for node in definition.node:
        if "_class" in node.attr:
            # A constant need not be colocated with what the variable was.
            del node.attr["_class"]
    library = definition.library
    called = {function.signature.name for function in reachable_functions(definition.node, library)}
    remove_nodes(library.function, lambda function: function.signature.name not in called)
    # They are of the functions as they were, and a frozen graph is not trained.
    del library.gradient[:]
