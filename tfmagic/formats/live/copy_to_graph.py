"""``--copy``: a live object copied into a separate graph."""

from __future__ import annotations

import tempfile
import weakref
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tfmagic.execution.backends.copied_values import CopiedValues
from tfmagic.execution.signature.options import Options
from tfmagic.execution.signature.signature import default_among
from tfmagic.formats.common.source import Built
from tfmagic.formats.live.trace_to_graph import TablesError, trace_to_graph
from tfmagic.formats.saved_model.read import SavedModelSource

if TYPE_CHECKING:
    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.formats.common.source import Source


def built_from(source: Source, model: str, options: Options) -> Built:
    """Build a source; with ``options.copy`` a live object is copied into a separate graph."""
    built = source.build(model, options)
    if options.copy and built.backend.graph is None:
        built_copy = graph_copy(cast("EagerBackend", built.backend), options)
        # From the source: the object may have other functions by then.
        built_copy.backend.remake = lambda: built_from(source, model, options).backend
        return built_copy
    return built


def graph_copy(eager: EagerBackend, options: Options) -> Built:
    """Return the graph of a live object, with its own variables."""
    try:
        backend, variables, notes = trace_to_graph(
            eager, default_among(eager.room.label, eager.signatures, options.signature)
        )
    except TablesError:
        return graph_copy_through_file(eager, options)
    if eager.keras_writer_of_copy is not None:
        backend.keras_writer = eager.keras_writer_of_copy(backend, variables)
    return Built(backend, notes)


def graph_copy_through_file(eager: EagerBackend, options: Options) -> Built:
    """Return the graph of a live object with tables, written to a temporary folder and read from there."""
    from tfmagic.formats.live.write import LiveFolder, state_of

    label = eager.room.label
    default = default_among(label, eager.signatures, options.signature)
    folder = tempfile.TemporaryDirectory(prefix="tfmagic-")
    path = Path(folder.name) / label
    path.mkdir()
    copied_values = CopiedValues(eager.live, eager.named_variables, partial(state_of, eager))
    # Before it is written: later changes have to count as changes.
    deque(copied_values.values(), maxlen=0)
    LiveFolder(eager, default)(path)
    copied_values.note_traced()
    built = SavedModelSource(path, label).build(label, Options(signature=default, device=options.device, unsafe=True))
    # The files are read again whenever the session is opened: they are removed with the model.
    weakref.finalize(built.backend, folder.cleanup)
    built.backend.copied_values = copied_values
    return built
