"""A live ``tf.Graph``: the model's room is that graph itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.room.variables import variables_of
from tfmagic.execution.signature.inference import infer
from tfmagic.formats.common.devices import place_here
from tfmagic.formats.common.loading import bind_signature_names, fill_and_initialise, import_meta_graph, new_graph
from tfmagic.formats.common.source import Built
from tfmagic.formats.live.base import LiveSource
from tfmagic.graphdef.call_depth import check_calls_of
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.state.variables_io import OURS
from tfmagic.runtime.tensorflow.private import library_of

if TYPE_CHECKING:
    from tfmagic.execution.signature.options import Options

v1 = tf.compat.v1


class GraphSource(LiveSource):
    """A ``tf.Graph`` that the person has built."""

    kind = "tf.Graph"

    def fingerprint(self) -> object:
        """Return the graph's identity, and the number of the person's operations in it."""
        probes = {"IsVariableInitialized", "VarIsInitializedOp"}
        operations = (op for op in self.live.get_operations() if op.type not in probes and not op.name.startswith(OURS))
        return (id(self.live), sum(1 for _ in operations))

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a graph that can run (a function's graph cannot)."""
        return isinstance(live, tf.Graph) and not getattr(live, "building_function", False)

    def build(self, model: str, options: Options) -> Built:
        """Use the graph as it is; its variables start from their initialisers."""
        if options.device is not None and not options.copy:
            msg = (
                f"{model}: the operations of a live graph stay on the devices that they were made for: "
                "--device needs --copy (copy=True), which gives it a graph of its own"
            )
            raise SourceError(msg)
        check_calls_of(model, "this graph", self.live, library_of(self.live))
        graph = _copy_of(self.live, options.device) if options.copy else self.live
        label = hosted(graph).label
        if label is not None and label != model:
            msg = (
                f"{model}: this graph is model {label!r} already; a graph is the room of one model "
                "(--copy gives it a graph of its own)"
            )
            raise SourceError(msg)
        if not graph.get_operations():
            msg = f"{model}: this graph is empty, so there is nothing to run"
            raise SourceError(msg)
        signature = infer(model, graph, {}, options.inputs, options.outputs)
        room = Room(model, graph, options.device)
        bind_signature_names(room, signature)
        notes = []
        if variables_of(graph):
            notes.append("its variables start from their initialisers: values in a session of yours stay there")
        backend = GraphBackend(room, {signature.name: signature}, fill_and_initialise(room))
        return Built(backend, notes)


def _copy_of(live: Any, device: str | None) -> Any:
    """Return a new graph with the same operations and collections, on `device` if there is one."""
    with live.as_default():
        meta = v1.train.export_meta_graph()
    place_here(meta.graph_def, device)
    return new_graph(device, lambda: import_meta_graph(meta, clear_devices=device is not None))
