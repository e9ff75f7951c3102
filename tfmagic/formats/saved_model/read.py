"""SavedModel directories: v1 and v2, whoever wrote them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.long_waits import said_if_long
from tfmagic.core.paths import existing_path, stamp
from tfmagic.errors import SourceError
from tfmagic.execution.backends.backend import TableFill
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.signature import default_among, renamed
from tfmagic.formats.common.loading import (
    bind_signature_names,
    check_constants,
    detached_functions,
    filling_all,
    graph_of,
    new_graph,
    reading,
)
from tfmagic.formats.common.plain_code import CodeTensor, call_code, on_device, quoted, session_code, values
from tfmagic.formats.common.source import Built, FileSource, checkpoint_size, file_record
from tfmagic.formats.common.written import tensors_of
from tfmagic.formats.saved_model.meta_graph import (
    GRAPH_FILE_NAMES,
    SERVE,
    assets_of,
    check_links,
    chosen_meta_graph,
    graph_file,
    initialisers_of,
    read_saved_model,
    signatures_of,
    version_of,
)
from tfmagic.formats.saved_model.restore_plan import (
    DONE,
    PREFIX,
    add_restore,
    most_readers,
    plan_of_captures,
    restore_plan,
)
from tfmagic.graphdef.call_depth import check_calls
from tfmagic.graphdef.guard import Guard
from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.graphdef.prune import pruned, reached, variable_nodes
from tfmagic.runtime.tensorflow.private import run_once, variable_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
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
        folder, _ = version_of(existing_path(self.path))
        return (str(folder), stamp(folder))

    def resolved_path(self) -> Path | None:
        """Return the folder of the version chosen, without links."""
        return version_of(existing_path(self.path))[0].resolve()

    def inspect(self) -> FileRecord:
        """Return what the graph file and the checkpoint's index tell."""
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
        tags, device = sorted(meta.meta_info_def.tags), options.device
        if any(spec.optional for spec in signature.inputs):
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
            signatures, left_out = signatures_of(meta)
        notes.extend(left_out)
        if not signatures:
            msg = f"{model}: {folder} has no signature that can be called, so there is nothing to run"
            raise SourceError(msg)
        default = default_among(model, signatures, options.signature)
        signatures[default] = renamed(model, signatures[default], options.inputs, options.outputs)

        saved = SavedGraph(model, folder, meta, signatures.values(), options.device)
        signatures = {name: _with_defaults(saved.graph, signature) for name, signature in signatures.items()}
        guard = None
        if not options.unsafe:
            if saved.assets:
                with reading(model, folder, "the assets"):
                    check_links(model, folder)
            guard = Guard(model, saved.graph, saved.library, saved.assets)
            saved.check(guard, [str(spec.tensor) for spec in signatures[default].outputs])
        room = Room(model, saved.graph, options.device)
        bind_signature_names(room, signatures[default])
        backend = GraphBackend(room, signatures, filling_all(room, saved.fill), guard)
        backend.table_fill = saved.table_fill
        return Built(backend, [*notes, *saved.notes])


def _with_defaults(graph: Any, signature: Signature) -> Signature:
    """Return the signature; inputs that have a default in the graph become optional."""
    inputs = tuple(
        replace(spec, optional=graph.get_tensor_by_name(spec.tensor).op.type == "PlaceholderWithDefault")
        for spec in signature.inputs
    )
    return replace(signature, inputs=inputs)


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(quoted(text) for text in texts)}]"


v1 = tf.compat.v1

LOADED_WHOLE_NOTE = "loaded whole, as it is unknown how it restores its variables"


class SavedGraph:
    """A SavedModel's imported graph with its functions, its assets by tensor, and what restores its values."""

    def __init__(
        self, model: str, folder: Path, meta: Any, signatures: Iterable[Signature], device: str | None
    ) -> None:
        self._model = model
        self._folder = folder
        self._prefix = folder / "variables" / "variables"
        self.notes: list[str] = []
        self._at_once = False
        self._unused = 0
        tensors = tensors_of(signatures)
        with reading(model, graph_file(folder), "the graph"):
            self.assets = assets_of(meta, folder / "assets")
            check_constants(meta.graph_def)
            self._initialisers = initialisers_of(meta)
            plan = restore_plan(meta)
            if plan is None:
                self.notes.append(LOADED_WHOLE_NOTE)
                self._import_whole(meta, device)
            else:
                part, collections = pruned(meta, [*tensors, *self._initialisers, *self.assets])
                present = variable_nodes(part)
                if self._has_values():
                    plan = {**plan, **plan_of_captures(meta, self._prefix, set(present) - plan.keys())}
                used = {plan[name].key for name in present if name in plan}
                self._unused = len({entry.key for entry in plan.values()} - used)
                add_restore(part, plan, present, readers=most_readers())
                # Initialisers that read no restored variable run together with the restore.
                self._at_once = not plan.keys() & reached(part, self._initialisers)
                self._restore, self._filename = DONE, f"{PREFIX}:0"
                self._import_part(part, collections, meta.meta_info_def.stripped_op_list, device)
            for tensor in tensors:
                self.graph.get_tensor_by_name(tensor)
        self._check_variables_are_there()

    def _import_part(self, part: Any, collections: dict[str, list[Any]], op_list: Any, device: str | None) -> None:
        check_calls(self._model, graph_file(self._folder), part.node, part.library)
        self.library: Sequence[Any] = detached_functions(part.library.function)
        self.graph = graph_of(part, device, op_list if len(op_list.op) else None)
        variables: dict[str, Any] = {}
        with self.graph.as_default():
            for collection, definitions in collections.items():
                for definition in definitions:
                    name = definition.variable_name
                    if name not in variables:
                        variables[name] = variable_from(definition)
                    self.graph.add_to_collection(collection, variables[name])

    def _import_whole(self, meta: Any, device: str | None) -> None:
        check_calls(self._model, graph_file(self._folder), meta.graph_def.node, meta.graph_def.library)
        self.library = detached_functions(meta.graph_def.library.function)
        self._restore, self._filename = meta.saver_def.restore_op_name, meta.saver_def.filename_tensor_name
        self.graph = new_graph(device, lambda: v1.train.import_meta_graph(meta, clear_devices=device is not None))

    def _has_values(self) -> bool:
        return any(self._prefix.parent.glob("variables*"))

    def _check_variables_are_there(self) -> None:
        if self._has_values():
            return
        # Every export has a restore operation, also one without variables.
        self._restore = ""
        handles = [op for op in self.graph.get_operations() if op.type in VARIABLES]
        if handles:
            msg = f"{self._model}: {self._folder} has {len(handles)} variables and no file variables/variables.index"
            raise SourceError(msg)

    @property
    def table_fill(self) -> TableFill:
        """How its tables are filled."""
        return TableFill(tuple(self._initialisers), self.assets, self._unused)

    def check(self, guard: Guard, fetches: Iterable[str]) -> None:
        """Have guards inspect what loading and these fetches run."""
        with reading(self._model, graph_file(self._folder), "the graph"):
            guard.check(fetches)
            Guard(self._model, self.graph, self.library, self.assets, fed=True).check(self._initialisers)
            if self._restore not in {"", DONE}:
                loader = Guard(self._model, self.graph, self.library, [self._filename], fed=True, restores=True)
                loader.check([self._restore])

    def fill(self, native: Any) -> None:
        """Restore the variables and initialise the tables in a native session."""
        restore = [self._restore] if self._restore else []
        feeds = {self._filename: str(self._prefix)} if self._restore else {}
        initialise = list(self._initialisers)
        if self._at_once:
            restore, initialise = [*restore, *initialise], []
            feeds |= self.assets
        if restore:
            with reading(self._model, self._prefix.parent, "the variables"), self._said_if_long(restore):
                run_once(native, restore, feeds)
        if initialise:
            with reading(self._model, self._folder, "the assets and tables"), self._said_if_long(initialise):
                run_once(native, initialise, self.assets)

    def _said_if_long(self, operations: Sequence[str]) -> AbstractContextManager[None]:
        return said_if_long(self._model, f"what it runs when it is loaded ({operations[-1]})")
