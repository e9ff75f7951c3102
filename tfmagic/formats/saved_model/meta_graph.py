"""What a SavedModel's ``saved_model.pb`` says: versions, tags, signatures, assets. Nothing is loaded."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tfmagic.core.regular_files import regular_files
from tfmagic.errors import SourceError, UnsafeSourceError, did_you_mean
from tfmagic.formats.common.message_file import SAVED_MODEL, read_message
from tfmagic.formats.common.wrong_file import wrong_file
from tfmagic.formats.saved_model.signatures import INIT
from tfmagic.graphdef.fillers import fillers_of, fills_needed
from tfmagic.graphdef.walk import ancestors, producer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

GRAPH_FILE_NAMES = ("saved_model.pb", "saved_model.pbtxt")
"""What the graph of a SavedModel is called in its folder."""

SERVE = "serve"
_MAIN_OPS = ("saved_model_main_op", "legacy_init_op")
_TABLES, _LOCAL = "table_initializer", "local_variables"
NO_TAGS = "(no tags)"
"""What a person types for a graph that has no tags, as those of TF-Hub's first format."""


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
        chosen = by_tags.get(frozenset(tags) - {NO_TAGS})
    else:
        chosen = by_tags.get(frozenset({SERVE})) or (metas[0] if len(metas) == 1 else by_tags.get(frozenset()))
    if chosen is not None:
        return chosen
    present = [",".join(sorted(have)) or f'"{NO_TAGS}"' for have in by_tags]
    if tags is None:
        msg = (
            f"{model}: {folder} has {len(metas)} tag sets and none is {SERVE!r}: choose with --tags {'|'.join(present)}"
        )
    else:
        tag_set = ",".join(tags)
        msg = f"{model}: {folder} has no tag set {tag_set!r}{did_you_mean(tag_set, present)}"
    raise SourceError(msg)


def initialisers_of(meta: Any, tensors: Sequence[str], assets: Collection[str], restored: Collection[str]) -> list[str]:
    """Return the operations or tensors that fill what these tensors need, without those that do nothing.

    `assets` names tensors that are fed, `restored` the variables that the checkpoint has values for.
    """
    init = meta.signature_def.get(INIT)
    if init is not None:
        names = [info.name for info in init.outputs.values()]
    else:
        lists = [meta.collection_def[key].node_list.value for key in _MAIN_OPS if key in meta.collection_def]
        names = [name for list_of_names in lists for name in list_of_names][:1]
    nodes = {node.name: node for node in meta.graph_def.node}
    if not names:
        names = _without_main_op(meta, nodes, tensors, assets, restored)
    # Every v2 export names an operation that mostly does nothing: this saves a native run.
    idle = {name for name, node in nodes.items() if node.op == "NoOp" and not node.input}
    return [name for name in names if name not in idle]


def _without_main_op(
    meta: Any, nodes: Mapping[str, Any], tensors: Sequence[str], assets: Collection[str], restored: Collection[str]
) -> list[str]:
    """Return what fills tables, and variables that are not saved: TensorFlow's loader runs all of these then."""
    names = []
    if _TABLES in meta.collection_def:
        present = [name for name in meta.collection_def[_TABLES].node_list.value if producer(name) in nodes]
        names = [name for name in present if fills_needed(nodes, name, tensors)]
    done = ancestors(nodes, names)
    names += [name for name in fillers_of(nodes, tensors, assets=assets) if name not in done]
    if _LOCAL in meta.collection_def:
        needed = ancestors(nodes, [*tensors, *names])
        messages = meta.collection_def[_LOCAL].bytes_list.value
        for variable in map(variable_pb2.VariableDef.FromString, messages):
            name = producer(variable.variable_name)
            if name in needed and name not in restored and producer(variable.initializer_name) in nodes:
                names.insert(0, variable.initializer_name)
    return names


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
