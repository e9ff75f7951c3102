"""Which checkpoint key belongs to a variable that a SavedModel's restore operation leaves out.

``tf.saved_model.save`` of a Keras 3 model writes each variable twice into the
graph: once as the functions use it, and once as it is restored. TF1's loader finds
no value for the first. What the objects of the file say of its functions, as
``tf.saved_model.load`` reads it, tells which object each of them is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.model.sources.restore_plan import Plan, Saved

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"


def bound_plan(meta: Any, prefix: Path, wanted: Collection[str]) -> Plan:
    """Return what restores those of these variables that a function of an object uses.

    Parameters
    ----------
    meta
        A ``MetaGraphDef``.
    prefix
        What the names of the checkpoint's files begin with.
    wanted
        Names of variables' nodes.
    """
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
        edges = [edge for edge in node.input if not edge.startswith("^")]
        # What a function has captured comes behind its arguments.
        for edge, at in zip(reversed(edges), reversed(bound), strict=False):
            variable = edge.split(":")[0]
            if variable in wanted and at in keys:
                plan[variable] = Saved(keys[at], nodes[variable].attr["dtype"].type)
    return plan


def _keys(objects: Any, prefix: Path) -> dict[int, str]:
    """Return the checkpoint's key of each variable among a SavedModel's objects.

    The checkpoint has a graph of objects, too: both are walked side by side, by the
    names of attributes.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    reader = tf.train.load_checkpoint(str(prefix))
    if not reader.has_tensor(_OBJECTS):
        return {}
    saved = trackable_object_graph_pb2.TrackableObjectGraph.FromString(reader.get_tensor(_OBJECTS))
    theirs = {0: 0}
    waiting = [0]
    while waiting:
        at = waiting.pop()
        children = {child.local_name: child.node_id for child in saved.nodes[theirs[at]].children}
        for child in objects.nodes[at].children:
            if child.node_id not in theirs and child.local_name in children:
                theirs[child.node_id] = children[child.local_name]
                waiting.append(child.node_id)
    values = (
        (at, next((one.checkpoint_key for one in saved.nodes[other].attributes if one.name == _VALUE), ""))
        for at, other in theirs.items()
    )
    return {at: key for at, key in values if key}
