"""``Model.save``: a model written in the format that the path asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from tfmagic.core.paths import disk_bytes, stamp
from tfmagic.errors import SaveError
from tfmagic.formats.common.destination import Destination, disk_reason, on_this_machine
from tfmagic.formats.common.written import LastSave, ModelToWrite
from tfmagic.formats.kinds import FILES

if TYPE_CHECKING:
    from tfmagic.formats.common.written import SourcedModel
    from tfmagic.formats.kinds import FileKind

# Suffixes of formats that a person may expect. Any other suffix is part of a folder's name: net-1.5.
_NOT_WRITTEN = {
    *(".bz2", ".ckpt", ".gguf", ".gz", ".h5", ".hdf5", ".index", ".joblib", ".json", ".meta", ".mlmodel", ".npy"),
    *(".npz", ".onnx", ".pbtxt", ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".tf", ".tflite"),
    *(".tgz", ".txt", ".weights", ".yaml", ".zip"),
}


def save(model: SourcedModel, path: str | Path, *, replace: bool) -> LastSave:
    """Write a model to a path whose suffix says the format; the errors are those of `Model.save`."""
    on_this_machine(str(path))
    given_path = Path(path)
    kind = _kind_to_write(given_path)
    destination = Destination(given_path, folder=not kind.save_suffix, replace=replace)
    backend = model.built_backend()
    with backend.runs.counted():
        writer = kind.writer_class()(ModelToWrite(backend, model.default_signature, model.source.kind, model.options))
        with destination.written() as beside:
            try:
                written = writer(beside)
            except SaveError:
                raise
            except (tf.errors.OpError, RuntimeError, ValueError) as error:
                if disk_reason(error) is None:
                    raise
                raise destination.failed(error) from error
    if model.source.resolved_path() == destination.path:
        # Saved over its own file: the model is as if it had just been read from there.
        model.fingerprint = model.source.fingerprint()
        writer.refill_from(destination.path)
    source = kind.source_class()(destination.path, str(destination.path))
    return LastSave(destination.path, source, disk_bytes(destination.path), written, stamp(destination.path))


def _kind_to_write(path: Path) -> FileKind:
    """Return the kind of file that a path asks for: that of its suffix, else a folder."""
    suffix = path.suffix.lower()
    kinds = {kind.save_suffix: kind for kind in FILES if kind.writer is not None}
    if suffix in kinds and path.name != "saved_model.pb":
        return kinds[suffix]
    if path.name != "saved_model.pb" and suffix not in _NOT_WRITTEN:
        return kinds[""]
    names = [f"{kind.save_suffix or 'a folder'} ({kind.source_class().kind})" for kind in kinds.values()]
    expected = f"{', '.join(names[:-1])} or {names[-1]} can be written"
    if path.name == "saved_model.pb":
        msg = f"{path} would be the file inside a SavedModel: give the folder, or another name; {expected}"
    else:
        msg = f"{path} cannot be saved: {suffix} is a format that is not written here; {expected}"
    raise SaveError(msg)
