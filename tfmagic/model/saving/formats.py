"""The formats in which a model can be saved: the path's suffix says which."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from pathlib import Path


class Format(Enum):
    """A format, under the name that a person knows it by."""

    FOLDER = "SavedModel"
    KERAS = "Keras file"
    FROZEN = "frozen graph"


_SUFFIXES = {".keras": Format.KERAS, ".pb": Format.FROZEN}

# What a person may well hope for. Any other suffix is part of a folder's name: net-1.5.
_OTHERS = {
    *(".bz2", ".ckpt", ".gguf", ".gz", ".h5", ".hdf5", ".index", ".joblib", ".json", ".meta", ".mlmodel", ".npy"),
    *(".npz", ".onnx", ".pbtxt", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".tf", ".tflite"),
    *(".tgz", ".txt", ".weights", ".yaml", ".zip"),
}


def format_of(path: Path) -> Format:
    """Return the format that a path asks for.

    Raises
    ------
    SaveError
        For a suffix of another format; those that can be written are named.
    """
    suffix = path.suffix.lower()
    written = "a folder (SavedModel), .keras or .pb (frozen graph) can be written"
    if path.name == "saved_model.pb":
        msg = f"{path} would be the file inside a SavedModel: give the folder, or another name; {written}"
        raise SaveError(msg)
    if suffix in _OTHERS:
        msg = f"{path} cannot be saved: {suffix} is a format that is not written here; {written}"
        raise SaveError(msg)
    return _SUFFIXES.get(suffix, Format.FOLDER)
