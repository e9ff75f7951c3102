"""The files that a graph reads when its tables are filled, copied into the SavedModel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.naming import unique
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.backends.graph import GraphBackend

v1 = tf.compat.v1


def assets_of(label: str, backend: GraphBackend) -> dict[str, Path]:
    """Return the files that fill tables, of the model's source and of cells, by the tensor that holds the path."""
    files = {tensor: Path(path) for tensor, path in backend.startup.assets.items()}
    for tensor in backend.graph.get_collection(v1.GraphKeys.ASSET_FILEPATHS):
        path = tf.get_static_value(tensor)
        if path is not None and tensor.name not in files:
            files[tensor.name] = Path(os.fsdecode(path.item()))
    gone = next((path for path in files.values() if not path.is_file()), None)
    if gone is not None:
        msg = f"{label} cannot be saved: the file {gone}, from which one of its tables is filled, is not there any more"
        raise SaveError(msg)
    return files


def holding_paths(graph: Any, assets: Mapping[str, Path]) -> dict[str, str]:
    """Return the variables that hold an asset's path on this machine, with the operation that sets each."""
    path_tensors = [graph.get_tensor_by_name(tensor) for tensor in assets]
    consumers = [consumer for path in path_tensors for consumer in path.consumers()]
    return {op.inputs[0].op.name: op.name for op in consumers if op.type == "AssignVariableOp"}


def copy_assets(folder: Path, assets: Mapping[str, Path]) -> dict[str, str]:
    """Copy the files into the SavedModel's folder, and return the name of each by its tensor."""
    files = list(dict.fromkeys(assets.values()))
    names = dict(zip(files, unique(path.name for path in files), strict=True))
    if names:
        (folder / "assets").mkdir()
    for path, name in names.items():
        shutil.copyfile(path, folder / "assets" / name)
    return {tensor: names[path] for tensor, path in assets.items()}
