"""SavedModel directories: v1 and v2, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError, did_you_mean
from tfmagic.model.graph_mode import GraphMode
from tfmagic.model.guard import Guard
from tfmagic.model.room import Room
from tfmagic.model.signature import DEFAULT, Signature, TensorSpec, default_among, renamed
from tfmagic.model.sources.loading import filling, name_the_ends, new_graph, reading
from tfmagic.model.sources.paths import stamp, the_path
from tfmagic.model.sources.source import Built, Source

if TYPE_CHECKING:
    from tfmagic.model.options import Options

v1 = tf.compat.v1

SERVE = "serve"
_INIT = "__saved_model_init_op"
_NOT_FOR_CALLING = {_INIT, "__saved_model_train_op"}
_MAIN_OPS = ("saved_model_main_op", "legacy_init_op")


class SavedModelSource(Source):
    """A SavedModel directory, or a folder of numbered versions of one.

    Parameters
    ----------
    path
        The directory.
    text
        What the person typed.
    """

    kind = "SavedModel"

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path

    def fingerprint(self) -> object:
        """Return the version chosen, and size and time of each of its files."""
        folder, _ = version_of(the_path(self.path))
        return (str(folder), stamp(folder))

    def build(self, model: str, options: Options) -> Built:
        """Load the graph and restore its variables."""
        folder, note = version_of(the_path(self.path))
        notes = [note] if note else []
        meta = chosen_meta_graph(model, folder, options.tags)
        signatures, left_out = signatures_of(meta)
        notes.extend(left_out)
        if not signatures:
            msg = f"{model}: {folder} has no signature that can be called, so there is nothing to run"
            raise SourceError(msg)
        default = default_among(model, signatures, options.signature)
        signatures[default] = renamed(model, signatures[default], options.inputs, options.outputs)

        with reading(model, folder / "saved_model.pb", "the graph"):
            # A device of the machine that wrote the file gives way to the one asked for.
            graph, _ = new_graph(
                options.device,
                lambda: v1.train.import_meta_graph(meta, clear_devices=options.device is not None),
            )
            for signature in signatures.values():
                for spec in (*signature.inputs, *signature.outputs):
                    graph.get_tensor_by_name(spec.tensor)
            restore = _Restore(model, folder, meta, graph)
        guard = None
        if not options.unsafe:
            guard = Guard(model, graph, meta.graph_def.library.function, restore.assets)
            guard.check([str(spec.tensor) for spec in signatures[default].outputs])
            guard.check(restore.initialisers)
        room = Room(model, graph, options.device)
        name_the_ends(room, signatures[default])
        return Built(GraphMode(room, signatures, filling(room, restore), guard), notes)


class _Restore:
    """Gives a SavedModel's variables and tables their values."""

    def __init__(self, model: str, folder: Path, meta: Any, graph: Any) -> None:
        self._model, self._folder, self._graph = model, folder, graph
        self._prefix = folder / "variables" / "variables"
        self._operation = meta.saver_def.restore_op_name
        self._filename = meta.saver_def.filename_tensor_name
        self.assets = {asset.tensor_info.name: str(folder / "assets" / asset.filename) for asset in _assets_of(meta)}
        init = meta.signature_def.get(_INIT)
        if init is not None:
            self.initialisers = [info.name for info in init.outputs.values()]
        else:
            found = (op for key in _MAIN_OPS for op in graph.get_collection(key) if op is not None)
            self.initialisers = [op.name for op in found][:1]
        if self._operation and not list(self._prefix.parent.glob("variables*")):
            # Every export has a restore operation, also one without variables.
            self._operation = ""
            handles = [op for op in graph.get_operations() if op.type in {"VarHandleOp", "VariableV2"}]
            if handles:
                msg = (
                    f"{model}: {folder} has {len(handles)} variables in its graph and no file variables/variables.index"
                )
                raise SourceError(msg)

    def __call__(self, native: Any) -> None:
        if self._operation:
            with reading(self._model, Path(f"{self._prefix}.index"), "the variables"):
                restore = self._graph.get_operation_by_name(self._operation)
                native.run(restore, {self._filename: str(self._prefix)})
        if self.initialisers:
            with reading(self._model, self._folder, "the assets and tables"):
                native.run([self._graph.as_graph_element(name) for name in self.initialisers], self.assets)


def version_of(path: Path) -> tuple[Path, str]:
    """Return the SavedModel folder at `path`, and a note where a version was chosen.

    Raises
    ------
    SourceError
        When `path` is neither a SavedModel nor a folder of numbered ones.
    """
    if path.name == "saved_model.pb":
        path = path.parent
    if _is_saved_model(path):
        return path, ""
    versions = sorted(
        (folder for folder in path.iterdir() if folder.name.isdigit() and _is_saved_model(folder)),
        key=lambda folder: int(folder.name),
    )
    if versions:
        more = f", the highest of {len(versions)}" if len(versions) > 1 else ""
        return versions[-1], f"version {versions[-1].name}{more}"
    inside = sorted(entry.name for entry in path.iterdir())
    seen = ", ".join(inside[:5]) + (", …" if len(inside) > 5 else "") if inside else "nothing"
    msg = f"{path} is no SavedModel: there is no saved_model.pb in it, nor in a numbered folder (there is: {seen})"
    raise SourceError(msg)


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()


def read_saved_model(model: str, folder: Path) -> Any:
    """Return the ``SavedModel`` message of a folder, without loading anything else.

    Raises
    ------
    SourceError
        When the file is damaged or empty.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel()
    with reading(model, file, "the graph"):
        message.ParseFromString(file.read_bytes())
    if not message.meta_graphs or not message.meta_graphs[0].graph_def.node:
        msg = f"{model}: {file} holds no graph, it may be damaged"
        raise SourceError(msg)
    return message


def chosen_meta_graph(model: str, folder: Path, tags: tuple[str, ...] | None) -> Any:
    """Return the ``MetaGraphDef`` of a tag set: the one asked for, ``serve``, or the only one."""
    metas = list(read_saved_model(model, folder).meta_graphs)
    by_tags = {frozenset(meta.meta_info_def.tags): meta for meta in metas}
    if tags is not None:
        found = by_tags.get(frozenset(tags))
    else:
        found = by_tags.get(frozenset({SERVE})) or (metas[0] if len(metas) == 1 else None)
    if found is not None:
        return found
    known = [",".join(sorted(have)) or "(no tags)" for have in by_tags]
    if tags is None:
        msg = f"{model}: {folder} has {len(metas)} tag sets and none is {SERVE!r}: choose with --tags {'|'.join(known)}"
    else:
        asked = ",".join(tags)
        msg = f"{model}: {folder} has no tag set {asked!r}{did_you_mean(asked, known)}"
    raise SourceError(msg)


def signatures_of(meta: Any) -> tuple[dict[str, Signature], list[str]]:
    """Return the signatures that can be called, and what to say of the others."""
    signatures: dict[str, Signature] = {}
    notes: list[str] = []
    for name in sorted(meta.signature_def, key=lambda name: (name != DEFAULT, name)):
        definition = meta.signature_def[name]
        if name in _NOT_FOR_CALLING or not definition.outputs:
            continue
        ends = [*definition.inputs.values(), *definition.outputs.values()]
        if not all(info.name for info in ends):
            notes.append(f"signature {name!r} has sparse or composite ends and is left out")
            continue
        signatures[name] = Signature(
            name,
            tuple(_spec(key, definition.inputs[key]) for key in sorted(definition.inputs)),
            tuple(_spec(key, definition.outputs[key]) for key in sorted(definition.outputs)),
        )
    return signatures, notes


def _spec(name: str, info: Any) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(None if dim.size < 0 else int(dim.size) for dim in shape.dim)
    return TensorSpec(name, tf.as_dtype(info.dtype).base_dtype.name, sizes, info.name)


def _assets_of(meta: Any) -> list[Any]:
    if meta.asset_file_def:
        return list(meta.asset_file_def)
    from tensorflow.core.protobuf import meta_graph_pb2

    found = []
    for packed in (
        meta.collection_def["saved_model_assets"].any_list.value if "saved_model_assets" in meta.collection_def else ()
    ):
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        found.append(asset)
    return found
