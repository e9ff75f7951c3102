"""Frozen graphs: a ``GraphDef`` with its weights inside, in a file or as an object."""

from __future__ import annotations

import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from tfmagic.core.paths import existing_path, stamp
from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import infer
from tfmagic.formats.common.loading import check_constants, copied, filling, name_the_ends, new_graph, reading
from tfmagic.formats.common.source import Built, FileSource
from tfmagic.formats.frozen.code import frozen_code
from tfmagic.formats.frozen.message import GraphMessage, GraphText
from tfmagic.formats.frozen.pb_file import GraphFile
from tfmagic.formats.frozen.thawing import Thawing
from tfmagic.formats.live.base import LiveSource
from tfmagic.graphdef.call_depth import check_calls
from tfmagic.graphdef.guard import Guard

if TYPE_CHECKING:
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.frozen.slim_graph import SlimGraph

v1 = tf.compat.v1


class FrozenSource(FileSource):
    """A frozen graph in a ``.pb`` file, or as text in a ``.pbtxt`` file."""

    kind = "frozen graph"
    takes_options: ClassVar[frozenset[str]] = frozenset({"frozen"})

    def fingerprint(self) -> object:
        """Return the path, and what tells whether the file has changed."""
        return (str(self.path), stamp(existing_path(self.path)))

    def build(self, model: str, options: Options) -> Built:
        """Import the graph; what nothing names is inferred."""
        return imported(model, self.path, read_graph(model, self.path), options)

    def python(self, name: str, signature: Signature, options: Options) -> str:
        """Return code that imports it."""
        return frozen_code(name, self.path, signature, options.device)


class GraphDefSource(LiveSource):
    """A ``GraphDef`` message that the person has read or made."""

    kind = "GraphDef"
    takes_options: ClassVar[frozenset[str]] = frozenset({"copy", "frozen"})

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a ``GraphDef``."""
        return isinstance(live, v1.GraphDef)

    def accept(self, model: str, options: Options) -> None:
        """Take ``frozen``, and ``copy``, which a message always is; refuse a message that is empty."""
        super().accept(model, options)
        if not self.live.node:
            msg = f"{model}: this GraphDef is empty, so there is nothing to run"
            raise SourceError(msg)

    def fingerprint(self) -> object:
        """Return the message's identity, and a number for its content."""
        number = 0
        # A node at a time: the whole, as bytes, would be a second copy of all weights.
        for part in (*self.live.node, *self.live.library.function):
            number = zlib.crc32(part.SerializeToString(deterministic=True), number)
        return id(self.live), len(self.live.node), number

    def build(self, model: str, options: Options) -> Built:
        """Import the graph; what nothing names is inferred. The message stays as it is."""
        return imported(model, Path(self.text), GraphMessage(model, self.live), options)


def imported(model: str, path: Path, slim: SlimGraph, options: Options) -> Built:
    """Return a model of a frozen graph, its large constants thawed unless they are to stay.

    Parameters
    ----------
    model
        Its name.
    path
        Where the graph came from, for messages.
    slim
        The graph, whose definition is changed and let go of.
    options
        What was said with ``add``.

    Raises
    ------
    SourceError
        When it cannot be imported, or a named end is not there.
    """
    with reading(model, path, "the graph"):
        check_constants(slim.definition)
        check_calls(model, path, slim.definition.node, slim.definition.library)
        thawing = Thawing(slim, none=options.frozen)
    graph = _graph_of(model, path, slim.definition, options.device)
    signature = infer(
        model,
        graph,
        {},
        None if options.inputs is None else dict(options.inputs),
        None if options.outputs is None else dict(options.outputs),
    )
    guard = None
    if not options.unsafe:
        guard = Guard(model, graph, copied(slim.definition.library.function), ())
        guard.check([str(spec.tensor) for spec in signature.outputs])
    slim.settled()
    room = Room(model, graph, options.device)
    name_the_ends(room, signature)
    backend = GraphBackend(room, {signature.name: signature}, filling(room, partial(thawing.fill, graph)), guard)
    return Built(backend, _unfrozen_note(graph, thawing))


def _graph_of(model: str, path: Path, definition: Any, device: str | None) -> Any:
    if device is not None:
        # A device of the machine that wrote the file gives way to the one asked for.
        for node in definition.node:
            node.device = ""
    with reading(model, path, "the graph"):
        graph, _ = new_graph(device, lambda: tf.import_graph_def(definition, name=""))
    return graph


def read_graph(model: str, path: Path) -> SlimGraph:
    """Return the graph of a file, its large constants still in there.

    Raises
    ------
    SourceError
        When the file is damaged, or holds no graph.
    """
    slim = GraphText(model, path) if path.suffix == ".pbtxt" else GraphFile(model, path)
    if not slim.definition.node:
        msg = f"{model}: {path} holds no graph, it may be damaged or be another kind of file"
        raise SourceError(msg)
    return slim


def _unfrozen_note(graph: Any, thawing: Thawing) -> list[str]:
    holders = [op for op in graph.get_operations() if op.type in {"VarHandleOp", "VariableV2", "Variable"}]
    handles = [op for op in holders if op.name not in thawing.places]
    if not handles:
        return []
    return [f"{len(handles)} variables of this graph are not frozen, and the file has no values for them"]
