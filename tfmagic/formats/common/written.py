"""What was written of a model, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypedDict

from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tfmagic.core.paths import FileStamp
    from tfmagic.execution.signature.signature import Signature


class SavedRecord(TypedDict):
    """What was written of a model.

    Attributes
    ----------
    path, format
        Where, and as what.
    size_bytes
        The size of all its files.
    variables
        How many it holds.
    for_training
        How many of them no signature uses, such as an optimizer's.
    notes
        What there is to say of what is not in it.
    """

    path: str
    format: str
    size_bytes: int
    variables: int
    for_training: int
    notes: list[str]


@dataclass(frozen=True)
class Written:
    """What a model's file or folder holds.

    Attributes
    ----------
    signature
        The default one, under the names that it has in the file.
    variables
        How many variables.
    for_training
        How many of them no signature uses.
    checksums
        What tells whether a value has changed since, by the variable's name.
    notes
        What there is to say of what is not in it.
    """

    signature: Signature
    variables: int
    for_training: int
    checksums: Mapping[str, int]
    notes: tuple[str, ...] = ()


def counted(variables: int) -> str:
    """Return ``1 variable`` or ``3 variables``."""
    return "1 variable" if variables == 1 else f"{variables} variables"


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


@dataclass(frozen=True)
class Saved:
    """Where a model was last saved, and as what.

    Attributes
    ----------
    path
        The file or folder.
    format
        Its format.
    size_bytes
        How large it is.
    written
        What it holds.
    stamp
        What tells whether its files are still those that were written.
    """

    path: Path
    format: Format
    size_bytes: int
    written: Written
    stamp: tuple[FileStamp, ...]

    def record(self) -> SavedRecord:
        """Return what a view shows of it, as plain data."""
        return {
            "path": str(self.path),
            "format": self.format.value,
            "size_bytes": self.size_bytes,
            "variables": self.written.variables,
            "for_training": self.written.for_training,
            "notes": list(self.written.notes),
        }
