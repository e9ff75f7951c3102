"""Fills a graph's native sessions from the folder that the graph was saved to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.execution.room.variables import table_initialisers_of
from tfmagic.formats.common.loading import reading
from tfmagic.runtime.state.tables import tables_of, write_table
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.private import run_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend


class SavedFill:
    """Fills a native session of a graph from the SavedModel that was written of it.

    The graph stays the one in memory; its former file had other checkpoint keys.
    """

    def __init__(
        self, backend: GraphBackend, folder: Path, initialisers: Sequence[str], assets: Mapping[str, str]
    ) -> None:
        self._room = backend.room
        self._folder = folder
        self._initialisers = list(initialisers)
        self._assets = dict(assets)
        self._filled = table_initialisers_of(backend.graph)

    def __call__(self, native: Any) -> None:
        """Fill a native session."""
        graph, initialiser = self._room.graph, self._room.initialiser
        prefix = self._folder / "variables" / "variables"
        with reading(self._room.label, self._folder, "the variables"):
            if prefix.with_name("variables.index").exists():
                checkpoint = tf.train.load_checkpoint(str(prefix))
                values_of(graph).write(native, self._values(checkpoint))
                for table in tables_of(graph):
                    if checkpoint.has_tensor(table.keys):
                        columns = checkpoint.get_tensor(table.keys), checkpoint.get_tensor(table.entries)
                        write_table(graph, native, table, columns)
            if self._initialisers:
                run_once(native, self._initialisers, self._assets)
        if initialiser is not None:
            initialiser.forget()
            initialiser.skip(self._filled)
            initialiser(native)

    def _values(self, checkpoint: Any) -> Iterator[tuple[str, np.ndarray]]:
        for name in values_of(self._room.graph).names():
            if checkpoint.has_tensor(name):
                yield name, checkpoint.get_tensor(name)
