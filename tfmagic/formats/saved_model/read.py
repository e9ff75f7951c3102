"""SavedModel directories: v1 and v2, whoever wrote them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import existing_path, stamp
from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import infer
from tfmagic.execution.signature.signature import DEFAULT, default_among, renamed
from tfmagic.formats.common.declared import check_tensors_fit, refusals
from tfmagic.formats.common.loading import (
    bind_signature_names,
    filling_all,
    reading,
)
from tfmagic.formats.common.plain_code import CodeTensor, call_code, on_device, quoted, session_code, values
from tfmagic.formats.common.source import Built, FileSource, checkpoint_size, file_record
from tfmagic.formats.common.written import tensors_of
from tfmagic.formats.saved_model.meta_graph import (
    GRAPH_FILE_NAMES,
    SERVE,
    check_files,
    check_links,
    chosen_meta_graph,
    graph_file,
    read_saved_model,
    version_of,
)
from tfmagic.formats.saved_model.saved_graph import SavedGraph
from tfmagic.formats.saved_model.signatures import signatures_of, usable_signatures
from tfmagic.graphdef.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import FileRecord


class SavedModelSource(FileSource):
    """A SavedModel directory, or a folder of numbered versions of one."""

    kind = "SavedModel"
    takes_options = frozenset({"tags"})
    expected = "a SavedModel folder"

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Return whether this is a folder, or the file in it that holds the graph."""
        return path.is_dir() or (path.name in GRAPH_FILE_NAMES and path.is_file())

    def fingerprint(self) -> object:
        """Return the version chosen, and what tells whether one of its files has changed."""
        folder = check_files(version_of(existing_path(self.path))[0])
        return (str(folder), stamp(folder))

    def resolved_path(self) -> Path | None:
        """Return the folder of the version chosen, without links."""
        return version_of(existing_path(self.path))[0].resolve()

    def inspect(self) -> FileRecord:
        """Return what the graph file and the checkpoint's index tell."""
        folder, note = version_of(self.path)
        check_files(folder)
        message = read_saved_model(str(self.path), folder)
        tags = [sorted(meta.meta_info_def.tags) for meta in message.meta_graphs]
        one = len(tags) > 1 and ([SERVE] in tags or [] in tags)
        meta = chosen_meta_graph(str(self.path), folder, None) if one else message.meta_graphs[0]
        with reading(str(self.path), graph_file(folder), "the signatures"):
            signatures, left_out = signatures_of(meta)
        if not signatures:
            left_out.append(f"no signature can be called: {_without_signature('NAME', folder, meta)}")
        count, weights_bytes = checkpoint_size(folder / "variables" / "variables")
        return file_record(
            folder,
            self.kind,
            tags=tags,
            signatures=signatures.values(),
            variables=count,
            weights_bytes=weights_bytes,
            refusals=refusals(self.path, meta.graph_def, lambda: graph_file(folder).stat().st_size),
            notes=[*([note] if note else []), *left_out],
        )

    def signature_in_file(self, signature: Signature) -> Signature:
        """Return the file's signature of that name: some inputs and outputs are not in it, and the order is another."""
        return signatures_of(chosen_meta_graph(self.text, self.path, (SERVE,)))[0][signature.name]

    def python(self, name: str, signature: Signature, options: Options) -> str | None:
        """Return code that loads it."""
        folder = version_of(existing_path(self.path))[0]
        meta = chosen_meta_graph(name, folder, options.tags)
        own = signatures_of(meta)[0].get(signature.name, signature)
        tags, device = sorted(meta.meta_info_def.tags), options.device
        declared = meta.signature_def.get(signature.name)
        is_flat = declared is not None and all(
            spec.name in tensors
            for specs, tensors in ((own.inputs, declared.inputs), (own.outputs, declared.outputs))
            for spec in specs
        )
        if not is_flat or any(spec.optional for spec in signature.inputs):
            # A signature of TensorFlow 2 needs every input; a session uses the defaults of a graph.
            cleared = "" if device is None else ", clear_devices=True"
            call = f"tf.compat.v1.saved_model.load(_{name}_session, {_listed(tags)}, {quoted(folder)}{cleared})"
            lines = [f"    {line}" for line in on_device(device, [call])]
            return session_code(name, signature, [f"with _{name}_graph.as_default():", *lines])
        inputs = [CodeTensor(spec, own_spec.name) for spec, own_spec in zip(signature.inputs, own.inputs, strict=True)]
        outputs = [
            CodeTensor(spec, f"[{quoted(own_spec.name)}]")
            for spec, own_spec in zip(signature.outputs, own.outputs, strict=True)
        ]
        given = values(name, inputs)
        arguments = {
            tensor.expression: f"tf.constant({given[tensor.spec.name]}, tf.{tensor.spec.dtype})" for tensor in inputs
        }
        if all(argument.isidentifier() for argument in arguments):
            passed = ", ".join(f"{argument}={value}" for argument, value in arguments.items())
        else:
            passed = f"**{{{', '.join(f'{quoted(argument)}: {value}' for argument, value in arguments.items())}}}"
        load = [
            *on_device(device, [f"_{name}_model = tf.saved_model.load({quoted(folder)}, tags={_listed(tags)})"]),
            f"_{name}_signature = _{name}_model.signatures[{quoted(signature.name)}]",
        ]
        return call_code(name, load, inputs, outputs, f"_{name}_signature({passed})", device=device)

    def build(self, model: str, options: Options) -> Built:
        """Load the graph and restore its variables."""
        folder, note = version_of(existing_path(self.path))
        notes = [note] if note else []
        meta = chosen_meta_graph(model, folder, options.tags)
        with reading(model, graph_file(folder), "the signatures"):
            signatures, left_out = usable_signatures(meta, options.signature)
        notes.extend(left_out)
        if signatures:
            default = _default(model, signatures, options.signature, left_out)
            signatures[default] = renamed(model, signatures[default], options.inputs, options.outputs)
            tensors = tensors_of(signatures.values())
        else:
            tensors = _chosen_tensors(model, folder, meta, options, left_out)
        saved = SavedGraph(model, folder, meta, tensors, options.device)
        if signatures:
            signatures, absent = _with_defaults(saved.graph, signatures)
            notes.extend(absent)
            default = _default(model, signatures, options.signature, absent)
        else:
            chosen = infer(model, saved.graph, {}, options.inputs, options.outputs)
            signatures, default = {chosen.name: chosen}, chosen.name
        check_tensors_fit(model, folder, saved.graph, tensors_of(signatures.values()))
        guard = None
        if not options.unsafe:
            if saved.assets:
                with reading(model, folder, "the assets"):
                    check_links(model, folder)
            guard = Guard(model, saved.graph, saved.library, saved.assets)
            saved.check(guard, signatures[default])
        room = Room(model, saved.graph, options.device)
        bind_signature_names(room, signatures[default])
        backend = GraphBackend(room, signatures, filling_all(room, saved.fill), guard)
        backend.table_fill = saved.table_fill
        return Built(backend, [*notes, *saved.notes])


def _default(model: str, signatures: Mapping[str, Signature], requested: str | None, left_out: Sequence[str]) -> str:
    """Return the default signature's name; one that was left out is refused with the reason."""
    reasons = [note for note in left_out if note.startswith(f"signature {requested or DEFAULT!r} ")]
    if reasons and (requested is not None or len(signatures) != 1):
        others = f"; --signature chooses another ({', '.join(sorted(signatures))})" if signatures else ""
        msg = f"{model}: {reasons[0]}{others}"
        raise SourceError(msg)
    return default_among(model, signatures, requested)


def _chosen_tensors(model: str, folder: Path, meta: Any, options: Options, left_out: Sequence[str]) -> list[str]:
    """Return the tensors that were named for a SavedModel without signatures, which a graph of TF1 can do with."""
    if not meta.HasField("object_graph_def") and options.outputs is not None:
        return [where for _, where in (*(options.inputs or ()), *options.outputs)]
    reason = f" ({left_out[0]})" if left_out else ""
    msg = f"{model}: {folder} has no signature that can be called{reason}: {_without_signature(model, folder, meta)}"
    raise SourceError(msg)


def _without_signature(model: str, folder: Path, meta: Any) -> str:
    """Return what a person types to run a SavedModel that has no signature."""
    if not meta.HasField("object_graph_def"):
        return "name its tensors, as --inputs x=op:0 --outputs y=op:0"
    kinds = {node.WhichOneof("kind") for node in meta.object_graph_def.nodes}
    if not kinds & {"function", "bare_concrete_function"}:
        return "it has variables and no function, so there is nothing to run"
    return f"import tensorflow as tf, and %tf_model add {model} (tf.saved_model.load({quoted(folder)}))"


def _with_defaults(graph: Any, signatures: Mapping[str, Signature]) -> tuple[dict[str, Signature], list[str]]:
    """Return the signatures, and notes on those that the graph lacks; inputs with a default become optional."""
    present: dict[str, Signature] = {}
    notes: list[str] = []
    for name, signature in signatures.items():
        try:
            tensors = {tensor: graph.get_tensor_by_name(tensor) for tensor in tensors_of([signature])}
        except (KeyError, ValueError) as error:
            reason = str(error.args[0]) if error.args else str(error)
            notes.append(f"signature {name!r} names what its graph does not have and is left out ({reason})")
            continue
        with_default = {name for name, tensor in tensors.items() if tensor.op.type == "PlaceholderWithDefault"}
        inputs = tuple(
            # The default of a sparse tensor's shape is what is known of it, with -1 for the rest.
            replace(spec, optional=spec.tensor in with_default and signature.whole_of(spec.name) is None)
            for spec in signature.inputs
        )
        present[name] = replace(signature, inputs=inputs)
    return present, notes


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(quoted(text) for text in texts)}]"
