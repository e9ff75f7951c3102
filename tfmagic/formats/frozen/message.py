"""A ``GraphDef`` message of the person's, or one in a text file, without its large constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf
from google.protobuf import text_format

from tfmagic.core.paths import existing_path
from tfmagic.errors import SourceError
from tfmagic.formats.common.loading import reading
from tfmagic.formats.frozen.pb_file import state_of, unchanged
from tfmagic.formats.frozen.slim_graph import SlimGraph, bytes_in, is_large, without_values
from tfmagic.runtime.state.variables_io import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

v1 = tf.compat.v1


class GraphMessage(SlimGraph):
    """A message, which stays as it is.

    Parameters
    ----------
    model
        The model's name, for messages.
    message
        The ``GraphDef``.
    """

    def __init__(self, model: str, message: Any) -> None:
        super().__init__()
        self._model = model
        self._nodes = _slimmed(message, self)
        self._checksums: dict[int, int] = {}

    def _elsewhere(self, places: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        for place in places:
            value = tf.make_ndarray(self._nodes[place].attr["value"].tensor)
            number = checksum(value)
            if self._checksums.setdefault(place, number) != number:
                name = self._nodes[place].name
                msg = f"{self._model}: constant {name!r} of this GraphDef has changed since it was loaded: add it again"
                raise SourceError(msg)
            yield place, value


class GraphText(SlimGraph):
    """A graph as text, in a ``.pbtxt`` file.

    Parameters
    ----------
    model
        The model's name, for messages.
    path
        The file.

    Raises
    ------
    SourceError
        When it is damaged.
    """

    def __init__(self, model: str, path: Path) -> None:
        super().__init__()
        self._model, self._path = model, path
        # Text takes long to parse: what was parsed is there until the first values have been read.
        with reading(model, path, "the graph"), existing_path(path).open("rb") as file:
            self._state = state_of(file)
            message = text_format.Parse(file.read().decode(), v1.GraphDef())
        self._nodes: dict[int, Any] | None = _slimmed(message, self)

    def loaded(self) -> None:
        """Let go of the parsed text."""
        self._nodes = None

    def _elsewhere(self, places: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        if not places:
            return
        nodes = self._nodes
        if nodes is None:
            with unchanged(self._model, self._path, self._state) as file, reading(self._model, self._path, "the graph"):
                nodes = dict(enumerate(text_format.Parse(file.read().decode(), v1.GraphDef()).node))
        for place in places:
            yield place, tf.make_ndarray(nodes[place].attr["value"].tensor)


def _slimmed(message: Any, slim: SlimGraph) -> dict[int, Any]:
    """Fill in the definition of a slim graph, and return the message's nodes that are not wholly in it."""
    nodes: dict[int, Any] = {}
    for place, node in enumerate(message.node):
        made = slim.definition.node.add()
        if not is_large(node):
            made.CopyFrom(node)
            continue
        made.name, made.op, made.device = node.name, node.op, node.device
        made.input.extend(node.input)
        for name in node.attr:
            if name != "value":
                made.attr[name].CopyFrom(node.attr[name])
        tensor = node.attr["value"].tensor
        without_values(tensor, made.attr["value"].tensor)
        slim.away[place] = bytes_in(tensor) or 0
        nodes[place] = node
    for descriptor, value in message.ListFields():
        if descriptor.name == "node":
            continue
        if descriptor.message_type is None:
            setattr(slim.definition, descriptor.name, value)
        else:
            getattr(slim.definition, descriptor.name).CopyFrom(value)
    return nodes
