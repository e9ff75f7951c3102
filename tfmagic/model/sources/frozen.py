"""Frozen graphs: a ``GraphDef`` in a ``.pb`` file, weights and all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.model.graph_mode import GraphMode
from tfmagic.model.guard import Guard
from tfmagic.model.inference import infer
from tfmagic.model.room import Room
from tfmagic.model.sources.file import FileSource
from tfmagic.model.sources.loading import check_constants, copied, filling, name_the_ends, new_graph, reading
from tfmagic.model.sources.paths import stamp, the_path
from tfmagic.model.sources.source import Built

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.model.options import Options


class FrozenSource(FileSource):
    """A frozen graph in a ``.pb`` file."""

    kind = "frozen graph"

    def fingerprint(self) -> object:
        """Return path, size and time of change."""
        return (str(self.path), stamp(the_path(self.path)))

    def build(self, model: str, options: Options) -> Built:
        """Import the graph; what nothing names is inferred."""
        graph, library = self._imported(model, options.device)
        signature = infer(
            model,
            graph,
            {},
            None if options.inputs is None else dict(options.inputs),
            None if options.outputs is None else dict(options.outputs),
        )
        guard = None
        if not options.unsafe:
            guard = Guard(model, graph, library, ())
            guard.check([str(spec.tensor) for spec in signature.outputs])
        room = Room(model, graph, options.device)
        name_the_ends(room, signature)
        mode = GraphMode(room, {signature.name: signature}, filling(room, _nothing_to_fill), guard)
        return Built(mode, _unfrozen_note(graph))

    def _imported(self, model: str, device: str | None) -> tuple[Any, list[Any]]:
        """Return the graph and its function library; the message itself, weights and all, goes."""
        definition = read_graph_def(model, self.path)
        if device is not None:
            # A device of the machine that wrote the file gives way to the one asked for.
            for node in definition.node:
                node.device = ""
        with reading(model, self.path, "the graph"):
            check_constants(definition)
            graph, _ = new_graph(device, lambda: tf.import_graph_def(definition, name=""))
        return graph, copied(definition.library.function)


def _nothing_to_fill(native: Any) -> None:
    """Do nothing: a frozen graph has its weights inside."""


def read_graph_def(model: str, path: Path) -> Any:
    """Return the ``GraphDef`` of a file.

    Raises
    ------
    SourceError
        When the file is damaged, or holds no graph.
    """
    definition = tf.compat.v1.GraphDef()
    with reading(model, path, "the graph"):
        definition.ParseFromString(the_path(path).read_bytes())
    if not definition.node:
        msg = f"{model}: {path} holds no graph, it may be damaged or be another kind of file"
        raise SourceError(msg)
    return definition


def _unfrozen_note(graph: Any) -> list[str]:
    handles = [op for op in graph.get_operations() if op.type in {"VarHandleOp", "VariableV2", "Variable"}]
    if not handles:
        return []
    return [f"{len(handles)} variables of this graph are not frozen, and the file has no values for them"]
