"""A ``GraphDef`` object or a ``.pbtxt`` file, without its large constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf
from google.protobuf import text_format

from tfmagic.core.paths import existing_path
from tfmagic.errors import SourceError
from tfmagic.formats.common.loading import reading
from tfmagic.formats.frozen.pb_file import file_state, open_unchanged
from tfmagic.formats.frozen.slim_graph import SlimGraph, bytes_in, is_large, without_values
from tfmagic.runtime.state.variables_io import checksum

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

v1 = tf.compat.v1


class GraphMessage(SlimGraph):
    """A ``GraphDef`` object, which is not changed."""

    def __init__(self, model: str, message: Any) -> None:
        super().__init__()
        self._model = model
        self._nodes = _slimmed(message, self)
        self._checksums: dict[int, int] = {}

    def _read_values(self, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        for index in indices:
            value = tf.make_ndarray(self._nodes[index].attr["value"].tensor)
            number = checksum(value)
            if self._checksums.setdefault(index, number) != number:
                name = self._nodes[index].name
                msg = f"{self._model}: constant {name!r} of this GraphDef has changed since it was loaded: add it again"
                raise SourceError(msg)
            yield index, value


class GraphText(SlimGraph):
    """A graph as text, in a ``.pbtxt`` file."""

    def __init__(self, model: str, path: Path) -> None:
        super().__init__()
        self._model, self._path = model, path
        # Text takes long to parse: the result is kept until the first values have been read.
        with reading(model, path, "the graph"), existing_path(path).open("rb") as file:
            self._state = file_state(file)
            message = text_format.Parse(file.read().decode(), v1.GraphDef())
        self._nodes: dict[int, Any] | None = _slimmed(message, self)

    def release_parsed(self) -> None:
        """Release the parsed text."""
        self._nodes = None

    def _read_values(self, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        if not indices:
            return
        nodes = self._nodes
        if nodes is None:
            with (
                open_unchanged(self._model, self._path, self._state) as file,
                reading(self._model, self._path, "the graph"),
            ):
                nodes = dict(enumerate(text_format.Parse(file.read().decode(), v1.GraphDef()).node))
        for index in indices:
            yield index, tf.make_ndarray(nodes[index].attr["value"].tensor)


def _slimmed(message: Any, slim: SlimGraph) -> dict[int, Any]:
    """Fill a slim graph's definition, and return the nodes whose values are not in it, by index."""
    nodes: dict[int, Any] = {}
    for index, node in enumerate(message.node):
        slim_node = slim.definition.node.add()
        if not is_large(node):
            slim_node.CopyFrom(node)
            continue
        slim_node.name, slim_node.op, slim_node.device = node.name, node.op, node.device
        slim_node.input.extend(node.input)
        for name in node.attr:
            if name != "value":
                slim_node.attr[name].CopyFrom(node.attr[name])
        tensor = node.attr["value"].tensor
        without_values(tensor, slim_node.attr["value"].tensor)
        slim.removed_bytes[index] = bytes_in(tensor) or 0
        nodes[index] = node
    for descriptor, value in message.ListFields():
        if descriptor.name == "node":
            continue
        if descriptor.message_type is None:
            setattr(slim.definition, descriptor.name, value)
        else:
            getattr(slim.definition, descriptor.name).CopyFrom(value)
    return nodes
