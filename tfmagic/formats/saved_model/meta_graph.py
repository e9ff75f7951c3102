"""What a SavedModel's ``saved_model.pb`` says: versions, tags, signatures, assets. Nothing is loaded."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tfmagic.core.regular_files import regular_files
from tfmagic.errors import SourceError, UnsafeSourceError, did_you_mean
from tfmagic.execution.signature.signature import DEFAULT, Signature, TensorSpec
from tfmagic.formats.common.message_file import SAVED_MODEL, read_message
from tfmagic.formats.common.wrong_file import wrong_file

GRAPH_FILE_NAMES = ("saved_model.pb", "saved_model.pbtxt")
"""What the graph of a SavedModel is called in its folder."""

SERVE = "serve"
_INIT = "__saved_model_init_op"
_NOT_FOR_CALLING = {_INIT, "__saved_model_train_op"}
_MAIN_OPS = ("saved_model_main_op", "legacy_init_op")


def version_of(path: Path) -> tuple[Path, str]:
    """Return the SavedModel folder at `path`, and a note where a version was chosen."""
    if path.name in GRAPH_FILE_NAMES:
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
    return any((folder / name).exists() for name in GRAPH_FILE_NAMES)


def graph_file(folder: Path) -> Path:
    """Return the file of a SavedModel folder that holds the graph; as text only where that is all there is."""
    return next((folder / name for name in GRAPH_FILE_NAMES if (folder / name).exists()), folder / GRAPH_FILE_NAMES[0])


def check_files(folder: Path) -> Path:
    """Return a SavedModel's folder if what is read in it are files."""
    below = (folder / "assets").rglob("*")
    assets = [path for path in below if not path.is_dir()]
    regular_files([graph_file(folder), *(folder / "variables").glob("variables.*"), *assets])
    return folder


def read_saved_model(model: str, folder: Path) -> Any:
    """Return the ``SavedModel`` message of a folder, without loading anything else."""
    file = graph_file(folder)
    message = read_message(model, file, saved_model_pb2.SavedModel(), SAVED_MODEL, text=file.suffix == ".pbtxt")
    if not message.meta_graphs or not message.meta_graphs[0].graph_def.node:
        msg = f"{model}: {file} holds no graph, it may be damaged"
        raise wrong_file(model, file) or SourceError(msg)
    return message


def chosen_meta_graph(model: str, folder: Path, tags: tuple[str, ...] | None) -> Any:
    """Return the ``MetaGraphDef`` of a tag set: the one asked for, ``serve``, or the only one."""
    metas = list(read_saved_model(model, folder).meta_graphs)
    by_tags = {frozenset(meta.meta_info_def.tags): meta for meta in metas}
    if tags is not None:
        chosen = by_tags.get(frozenset(tags))
    else:
        chosen = by_tags.get(frozenset({SERVE})) or (metas[0] if len(metas) == 1 else None)
    if chosen is not None:
        return chosen
    present = [",".join(sorted(have)) or "(no tags)" for have in by_tags]
    if tags is None:
        msg = (
            f"{model}: {folder} has {len(metas)} tag sets and none is {SERVE!r}: choose with --tags {'|'.join(present)}"
        )
    else:
        tag_set = ",".join(tags)
        msg = f"{model}: {folder} has no tag set {tag_set!r}{did_you_mean(tag_set, present)}"
    raise SourceError(msg)


def signatures_of(meta: Any) -> tuple[dict[str, Signature], list[str]]:
    """Return the signatures that can be called, and notes on the others."""
    signatures: dict[str, Signature] = {}
    notes: list[str] = []
    for name in sorted(meta.signature_def, key=lambda name: (name != DEFAULT, name)):
        definition = meta.signature_def[name]
        if name in _NOT_FOR_CALLING or not definition.outputs:
            continue
        tensors = [*definition.inputs.values(), *definition.outputs.values()]
        if not all(info.name for info in tensors):
            notes.append(f"signature {name!r} has sparse or composite inputs or outputs and is left out")
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


def initialisers_of(meta: Any) -> list[str]:
    """Return the operations or tensors that fill tables and the like, without those that do nothing."""
    init = meta.signature_def.get(_INIT)
    if init is not None:
        names = [info.name for info in init.outputs.values()]
    else:
        lists = [meta.collection_def[key].node_list.value for key in _MAIN_OPS if key in meta.collection_def]
        names = [name for list_of_names in lists for name in list_of_names][:1]
    # Every v2 export names an operation that mostly does nothing: this saves a native run.
    idle = {node.name for node in meta.graph_def.node if node.op == "NoOp" and not node.input}
    return [name for name in names if name not in idle]


def assets_of(meta: Any, folder: Path) -> dict[str, str]:
    """Return the path of each asset by the tensor that takes it; a path outside of `folder` is a `ValueError`."""
    assets = list(meta.asset_file_def)
    if not assets and "saved_model_assets" in meta.collection_def:
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            assets.append(asset)
    return {asset.tensor_info.name: str(_asset_path(folder, asset.filename)) for asset in assets}


def _asset_path(folder: Path, name: str) -> Path:
    own = PurePath(name)
    # Only the name is checked: the folder's path is as the person typed it.
    if not own.parts or own.is_absolute() or ".." in own.parts:
        msg = f"the asset {name!r} is outside {folder}"
        raise ValueError(msg)
    return folder / own


def check_links(model: str, folder: Path) -> None:
    """Refuse a SavedModel with a link among its assets that leads out of its folder, which may be a link itself."""
    # All files count: some operations also read others that lie beside the one they were given.
    # Not Path.resolve, which raises for links in a circle.
    inside = Path(os.path.realpath(folder))
    waiting = [folder / "assets"]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(inside):
            msg = (
                f"{model}: the asset {path} is a link to {real}, out of the model's folder: add it with --unsafe "
                "(unsafe=True) if you trust where the model comes from (the caches of download tools, such as "
                "Hugging Face's, are made of links: a copy with cp -rL has none)"
            )
            raise UnsafeSourceError(msg)
        if real not in seen and real.is_dir():
            seen.add(real)
            waiting.extend(sorted(path.iterdir(), reverse=True))
