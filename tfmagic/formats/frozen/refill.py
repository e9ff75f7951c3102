"""The values of a graph's variables from the frozen graph that it was saved to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.formats.frozen.read import read_graph
from tfmagic.runtime.state.variables_io import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend


class FrozenFill:
    """Fills a native session of a graph from the ``.pb`` that was written of it."""

    def __init__(self, backend: GraphBackend, file: Path, constants: Mapping[str, str]) -> None:
        self._room = backend.room
        self._slim = read_graph(backend.room.label, file)
        variables = {constant: variable for variable, constant in constants.items()}
        self._large: dict[int, str] = {}
        self._small: dict[str, np.ndarray] = {}
        for index, node in enumerate(self._slim.definition.node):
            if node.name in variables and index in self._slim.removed_bytes:
                self._large[index] = variables[node.name]
            elif node.name in variables:
                self._small[variables[node.name]] = tf.make_ndarray(node.attr["value"].tensor)
        self._slim.release_definition()

    def __call__(self, native: Any) -> None:
        """Fill a native session."""
        values_of(self._room.graph).write(native, self._values())
        initialiser = self._room.initialiser
        if initialiser is not None:
            # Variables that no output needs are not in the file: they get their initial values.
            initialiser.forget()
            initialiser(native)

    def _values(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, value in self._small.items():
            yield name, value.copy()
        for index, value in self._slim.values(self._large):
            yield self._large[index], value
