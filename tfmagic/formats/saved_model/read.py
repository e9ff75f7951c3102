"""SavedModel directories: v1 and v2, whoever wrote them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import existing_path, stamp
from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.signature import default_among, renamed
from tfmagic.formats.common.inspection import checkpoint_size, file_record
from tfmagic.formats.common.loading import bind_signature_names, filling_all, reading
from tfmagic.formats.common.source import Built, FileSource
from tfmagic.formats.saved_model.code import saved_model_code
from tfmagic.formats.saved_model.graph import SavedGraph
from tfmagic.formats.saved_model.meta_graph import (
    FILES,
    SERVE,
    check_links,
    chosen_meta_graph,
    graph_file,
    read_saved_model,
    signatures_of,
    version_of,
)
from tfmagic.graphdef.guard import Guard

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.inspection import FileRecord


class SavedModelSource(FileSource):
    """A SavedModel directory, or a folder of checksums versions of one."""

    kind = "SavedModel"
    takes_options = frozenset({"tags"})
    expected = "a SavedModel folder"

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Return whether this is a folder, or the file in it that holds the graph."""
        return path.is_dir() or (path.name in FILES and path.is_file())

    def fingerprint(self) -> object:
        """Return the version chosen, and what tells whether one of its files has changed."""
        folder, _ = version_of(existing_path(self.path))
        return (str(folder), stamp(folder))

    def resolved_path(self) -> Path | None:
        """Return the folder of the version chosen, without links."""
        return version_of(existing_path(self.path))[0].resolve()

    def inspect(self) -> FileRecord:
        """Read the message and the checkpoint's index."""
        folder, note = version_of(self.path)
        message = read_saved_model(str(self.path), folder)
        tags = [sorted(meta.meta_info_def.tags) for meta in message.meta_graphs]
        only = len(tags) == 1 or [SERVE] not in tags
        meta = message.meta_graphs[0] if only else chosen_meta_graph(str(self.path), folder, None)
        with reading(str(self.path), graph_file(folder), "the signatures"):
            signatures, left_out = signatures_of(meta)
        count, weights_bytes = checkpoint_size(folder / "variables" / "variables")
        return file_record(
            folder,
            self.kind,
            tags=tags,
            signatures=signatures.values(),
            variables=count,
            weights_bytes=weights_bytes,
            notes=[*([note] if note else []), *left_out],
        )

    def signature_in_file(self, signature: Signature) -> Signature:
        """Return the file's signature of that name: some inputs and outputs are not in it, and the order is another."""
        return signatures_of(chosen_meta_graph(self.text, self.path, (SERVE,)))[0][signature.name]

    def python(self, name: str, signature: Signature, options: Options) -> str | None:
        """Return code that loads it."""
        folder = version_of(existing_path(self.path))[0]
        meta = chosen_meta_graph(name, folder, options.tags)
        own = signatures_of(meta)[0][signature.name]
        names = [end.name for end in own.inputs], [end.name for end in own.outputs]
        tags = sorted(meta.meta_info_def.tags)
        return saved_model_code(name, folder, tags, signature, own=names, device=options.device)

    def build(self, model: str, options: Options) -> Built:
        """Load the graph and restore its variables."""
        folder, note = version_of(existing_path(self.path))
        notes = [note] if note else []
        meta = chosen_meta_graph(model, folder, options.tags)
        with reading(model, graph_file(folder), "the signatures"):
            signatures, left_out = signatures_of(meta)
        notes.extend(left_out)
        if not signatures:
            msg = f"{model}: {folder} has no signature that can be called, so there is nothing to run"
            raise SourceError(msg)
        default = default_among(model, signatures, options.signature)
        signatures[default] = renamed(model, signatures[default], options.inputs, options.outputs)

        saved = SavedGraph(model, folder, meta, signatures.values(), options.device)
        signatures = {name: _with_defaults(saved.graph, one) for name, one in signatures.items()}
        guard = None
        if not options.unsafe:
            if saved.assets:
                with reading(model, folder, "the assets"):
                    check_links(model, folder)
            guard = Guard(model, saved.graph, saved.library, saved.assets)
            saved.check(guard, [str(end.tensor) for end in signatures[default].outputs])
        room = Room(model, saved.graph, options.device)
        bind_signature_names(room, signatures[default])
        backend = GraphBackend(room, signatures, filling_all(room, saved.fill), guard)
        backend.startup = saved.startup
        return Built(backend, [*notes, *saved.notes])


def _with_defaults(graph: Any, signature: Signature) -> Signature:
    """Return the signature; inputs that have a default in the graph become optional."""
    inputs = tuple(
        replace(spec, optional=graph.get_tensor_by_name(spec.tensor).op.type == "PlaceholderWithDefault")
        for spec in signature.inputs
    )
    return replace(signature, inputs=inputs)
