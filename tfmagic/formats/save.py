"""``Model.save``: a model written in the format that the path asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from tfmagic.core.paths import disk_bytes, stamp
from tfmagic.errors import SaveError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.formats.common.destination import Destination, disk_reason, on_this_machine
from tfmagic.formats.common.written import Format, Saved, format_of
from tfmagic.formats.frozen.write import FrozenFile
from tfmagic.formats.keras.write import KerasFile
from tfmagic.formats.live.write import LiveFolder
from tfmagic.formats.saved_model.write import GraphFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.formats.common.written import Written
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


def save(model: Lifecycle, path: str | Path, *, replace: bool) -> Saved:
    """Write a model, and say what was written.

    Parameters
    ----------
    model
        The model; one that was added lazily is built first.
    path
        Where, with a suffix that says the format.
    replace
        Whether what is there may go.

    Raises
    ------
    SaveError
        When the format cannot hold the model.
    DestinationError
        When the path cannot be written to.
    PathTakenError
        When something is there already.
    ModelStateError
        When the model was dropped, or is still stopping.
    """
    on_this_machine(str(path))
    asked = Path(path)
    form = format_of(asked)
    destination = Destination(asked, folder=form is Format.FOLDER, replace=replace)
    backend = model.built_backend()
    with backend.reserved():
        write = _writer(form, model, backend)
        with destination.written() as beside:
            try:
                written = write(beside)
            except SaveError:
                raise
            except (tf.errors.OpError, RuntimeError, ValueError) as error:
                if disk_reason(error) is None:
                    raise
                raise destination.failed(error) from error
    if model.source.origin() == destination.path:
        # Saved over its own file: it is as it would be if it had just come from there.
        model.fingerprint = model.source.fingerprint()
        if isinstance(write, GraphFolder | FrozenFile):
            write.come_from(destination.path)
    return Saved(
        destination.path,
        form,
        disk_bytes(destination.path),
        written,
        stamp(destination.path),
    )


def _writer(form: Format, model: Lifecycle, backend: Backend) -> Callable[[Path], Written]:
    """Return what writes the model; what it cannot hold is found out here, as far as that can be told before."""
    default = model.default_signature
    if form is Format.KERAS:
        return KerasFile(model.source.kind, backend, default, model.options)
    if form is Format.FROZEN:
        return FrozenFile(backend, default)
    return GraphFolder(backend, default) if isinstance(backend, GraphBackend) else LiveFolder(backend, default)
