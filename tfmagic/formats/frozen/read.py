"""Frozen graphs: a ``GraphDef`` with its weights inside, in a file or as an object."""

from __future__ import annotations

import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from tfmagic.core.paths import stamp
from tfmagic.core.regular_files import regular_file
from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import infer
from tfmagic.formats.common.declared import check_declared, check_tensors_fit, refusals
from tfmagic.formats.common.devices import place_here
from tfmagic.formats.common.loading import (
    bind_signature_names,
    check_constants,
    detached_functions,
    fill_and_initialise,
    graph_of,
    reading,
)
from tfmagic.formats.common.plain_code import on_device, quoted, session_code
from tfmagic.formats.common.source import Built, FileSource, file_record, placeholder_note
from tfmagic.formats.common.unknown_operations import leave_out_unknown
from tfmagic.formats.common.wrong_file import wrong_file
from tfmagic.formats.frozen.pb_file import GraphFile
from tfmagic.formats.frozen.slim_graph import GraphMessage, GraphText
from tfmagic.formats.frozen.thawing import ThawedConstants
from tfmagic.formats.live.base import LiveSource
from tfmagic.graphdef.call_depth import check_calls
from tfmagic.graphdef.fillers import fillers_of
from tfmagic.graphdef.guard import Guard
from tfmagic.graphdef.op_types import VARIABLES

if TYPE_CHECKING:
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import FileRecord
    from tfmagic.formats.frozen.slim_graph import SlimGraph

v1 = tf.compat.v1


class FrozenSource(FileSource):
    """A frozen graph in a ``.pb`` file, or as text in a ``.pbtxt`` file."""

    kind = "frozen graph"
    takes_options: ClassVar[frozenset[str]] = frozenset({"frozen"})

    def fingerprint(self) -> object:
        """Return the path and the file's stamp."""
        return (str(self.path), stamp(regular_file(self.path)))

    def build(self, model: str, options: Options) -> Built:
        """Import the graph; inputs and outputs that are not named are inferred."""
        return imported(model, self.path, read_graph(model, self.path), options)

    def inspect(self) -> FileRecord:
        """Read the graph without its large constants."""
        slim = read_graph(str(self.path), self.path)
        nodes = slim.definition.node
        small_bytes = sum(node.attr["value"].tensor.ByteSize() for node in nodes if node.op == "Const")
        return file_record(
            self.path,
            self.kind,
            variables=0,
            weights_bytes=small_bytes + sum(slim.removed_bytes.values()),
            refusals=refusals(self.path, slim.definition, slim.contained_bytes),
            notes=[
                f"{len(nodes)} operations; its inputs and outputs are inferred when it is added",
                *placeholder_note(slim.definition),
            ],
        )

    def python(self, name: str, signature: Signature, options: Options) -> str:
        """Return code that imports it and runs it."""
        definition = f"_{name}_definition"
        text = self.path.suffix == ".pbtxt"
        mode, read = ("r", f"text_format.Parse(file.read(), {definition})") if text else ("rb", "")
        cleared = [f"for node in {definition}.node:", '    node.device = ""'] if options.device is not None else []
        inner = on_device(options.device, [f'tf.import_graph_def({definition}, name="")'])
        load = [
            f"{definition} = tf.compat.v1.GraphDef()",
            f"with open({quoted(self.path)}, {quoted(mode)}) as file:",
            f"    {read or f'{definition}.ParseFromString(file.read())'}",
            *cleared,
            f"with _{name}_graph.as_default():",
            *(f"    {line}" for line in inner),
        ]
        return session_code(name, signature, load, imports=["from google.protobuf import text_format"] if text else [])


class GraphDefSource(LiveSource):
    """A ``GraphDef`` object that the person has read or made."""

    kind = "GraphDef"
    takes_options: ClassVar[frozenset[str]] = frozenset({"copy", "frozen"})

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a ``GraphDef``."""
        return isinstance(live, v1.GraphDef)

    def check_options(self, model: str, options: Options) -> None:
        """Accept ``copy``, as a message is always copied; refuse an empty message."""
        super().check_options(model, options)
        if not self.live.node:
            msg = f"{model}: this GraphDef is empty, so there is nothing to run"
            raise SourceError(msg)

    def fingerprint(self) -> object:
        """Return the message's identity, and a number for its content."""
        number = 0
        # A node at a time: all of it as bytes would be a second copy of the weights.
        for part in (*self.live.node, *self.live.library.function):
            number = zlib.crc32(part.SerializeToString(deterministic=True), number)
        return id(self.live), len(self.live.node), number

    def build(self, model: str, options: Options) -> Built:
        """Import the graph; inputs and outputs that are not named are inferred. The message is not changed."""
        return imported(model, Path(self.text), GraphMessage(model, self.live), options)


def imported(model: str, path: Path, slim: SlimGraph, options: Options) -> Built:
    """Return a model of a frozen graph, whose definition is changed and released; `path` is for messages."""
    with reading(model, path, "the graph"):
        check_constants(slim.definition)
        check_calls(model, path, slim.definition.node, slim.definition.library)
        notes = leave_out_unknown(slim.definition, options.outputs, options.inputs)
        check_declared(model, path, slim.definition, slim.contained_bytes)
        thawed = ThawedConstants(slim, keep_frozen=options.frozen)
        notes += place_here(slim.definition, options.device)
        graph = graph_of(slim.definition, options.device)
    signature = infer(model, graph, {}, options.inputs, options.outputs)
    outputs = [str(spec.tensor) for spec in signature.outputs]
    check_tensors_fit(model, path, graph, outputs)
    nodes = {node.name: node for node in slim.definition.node}
    fillers = [graph.get_operation_by_name(name) for name in fillers_of(nodes, outputs, given=signature.given)]
    for filler in fillers:
        graph.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, filler)
    guard = None
    if not options.unsafe:
        guard = Guard(model, graph, detached_functions(slim.definition.library.function), ())
        guard.check(outputs, given=signature.given)
        guard.check([filler.name for filler in fillers])
    slim.release_definition()
    room = Room(model, graph, options.device)
    bind_signature_names(room, signature)
    fill = fill_and_initialise(room, partial(thawed.fill, graph))
    backend = GraphBackend(room, {signature.name: signature}, fill, guard)
    count = sum(1 for op in graph.get_operations() if op.type in VARIABLES and op.name not in thawed.constant_of)
    unfrozen = f"{count} variables of this graph are not frozen, and the file has no values for them"
    return Built(backend, [*notes, unfrozen] if count else notes)


def read_graph(model: str, path: Path) -> SlimGraph:
    """Return the graph of a file without its large constants."""
    slim = GraphText(model, path) if path.suffix == ".pbtxt" else GraphFile(model, path)
    if not slim.definition.node:
        msg = f"{model}: {path} holds no graph, it may be damaged or be another kind of file"
        raise wrong_file(model, path) or SourceError(msg)
    return slim
