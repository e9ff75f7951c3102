"""A ``GraphDef`` without the values of its large constants, which are read one at a time.

They come from an object or a ``.pbtxt`` file here, and from a ``.pb`` file in `pb_file`.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2

from tfmagic.core.regular_files import regular_file
from tfmagic.errors import SourceError
from tfmagic.formats.common.loading import reading
from tfmagic.formats.common.message_file import check_message_size, text_of
from tfmagic.graphdef.wire_format import MalformedError
from tfmagic.runtime.memory.fed_arrays import aligned
from tfmagic.runtime.state.variables_io import checksum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

v1 = tf.compat.v1

LARGE_BYTES = 1 << 14
"""From this size on a constant is removed. No shape, axis or size is as large."""
_LARGEST_BYTES = 1 << 31

# The field of a TensorProto with the single values of a dtype, and the number of values of an element.
_NUMBERS = {
    **dict.fromkeys((tf.float16, tf.bfloat16), ("half_val", 1)),
    tf.float32: ("float_val", 1),
    tf.float64: ("double_val", 1),
    tf.complex64: ("scomplex_val", 2),
    tf.complex128: ("dcomplex_val", 2),
    **dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32), ("int_val", 1)),
    tf.uint32: ("uint32_val", 1),
    tf.int64: ("int64_val", 1),
    tf.uint64: ("uint64_val", 1),
}
_FIELDS: dict[int, tuple[str, int, int]] = {
    dtype.as_datatype_enum: (*field, dtype.size) for dtype, field in _NUMBERS.items()
}
_RANGES = {
    dtype.as_datatype_enum: (dtype.min, dtype.max)
    if dtype.is_integer
    else (0, (1 << 16) - 1)  # a half is encoded as the number of its bits
    for dtype in _NUMBERS
    if dtype.size <= 2
}


class SlimGraph(ABC):
    """A graph without the values of its large constants; `removed_bytes` has their sizes by the index of the node."""

    def __init__(self) -> None:
        self.definition: Any = v1.GraphDef()
        self.removed_bytes: dict[int, int] = {}
        # Large constants with a short encoding, such as zeros.
        self._packed: dict[int, bytes] = {}

    def values(self, indices: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Give the values of removed constants, one at a time; the caller owns each array."""
        wanted = sorted(indices)
        for index in wanted:
            if index in self._packed:
                yield index, tf.make_ndarray(tensor_pb2.TensorProto.FromString(self._packed[index]))
        yield from self._read_values([index for index in wanted if index not in self._packed])

    @abstractmethod
    def contained_bytes(self) -> int:
        """Return the size of what the graph was read from."""

    @abstractmethod
    def _read_values(self, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Give the values that are not in this object; the indices are in order."""

    def put_back(self, indices: Iterable[int]) -> None:
        """Give constants their values in the definition again."""
        wanted = list(indices)
        for index in wanted:
            if index in self._packed:
                self.definition.node[index].attr["value"].tensor.ParseFromString(self._packed.pop(index))
                del self.removed_bytes[index]
        for index, value in self.values(index for index in wanted if index in self.removed_bytes):
            self.definition.node[index].attr["value"].tensor.tensor_content = value.tobytes()
            del self.removed_bytes[index]

    def release_definition(self) -> None:
        """Release the definition: from now on only values are needed."""
        self.definition = v1.GraphDef()

    def release_parsed(self) -> None:  # noqa: B027 - most have parsed nothing
        """Release what was parsed ahead for the first reading of the values."""

    def _pack(self) -> None:
        """Remove the large constants that are still in the definition."""
        for index, node in enumerate(self.definition.node):
            if index not in self.removed_bytes and is_large(node):
                tensor = node.attr["value"].tensor
                self.removed_bytes[index] = bytes_in(tensor) or 0
                self._packed[index] = tensor.SerializeToString()
                without_values(tensor, tensor)


def is_large(node: Any) -> bool:
    """Return whether a node is a large constant of numbers, with all its values; the node stays as it is."""
    if node.op != "Const" or "value" not in node.attr or not node.attr["value"].HasField("tensor"):
        return False
    tensor = node.attr["value"].tensor
    return is_large_size(bytes_in(tensor)) and is_whole(tensor)


def is_large_size(size: int | None) -> bool:
    """Return whether a constant of this size is removed; one that no file could hold is damaged."""
    return size is not None and LARGE_BYTES <= size < _LARGEST_BYTES


def bytes_in(tensor: Any) -> int | None:
    """Return the size of a ``TensorProto`` of numbers from its dtype and shape, None for any other."""
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype not in _FIELDS or tensor.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
        return None
    return int(math.prod(sizes) * _FIELDS[tensor.dtype][2])


def is_whole(tensor: Any) -> bool:
    """Return whether a ``TensorProto`` of numbers has values for all its elements; the last stands for the rest."""
    field, parts, size = _FIELDS[tensor.dtype]
    given = {descriptor.name for descriptor, _ in tensor.ListFields()} - {"dtype", "tensor_shape", "version_number"}
    if given == {"tensor_content"}:
        return len(tensor.tensor_content) == bytes_in(tensor)
    values = getattr(tensor, field)
    if given != {field} or len(values) % parts or len(values) // parts * size > (bytes_in(tensor) or 0):
        return False
    # Small dtypes are encoded with 32 bits: a value that is too large is damaged.
    least, most = _RANGES.get(tensor.dtype, (-math.inf, math.inf))
    return size > 2 or (least <= min(values) and max(values) <= most)


def without_values(tensor: Any, to: Any) -> None:
    """Copy dtype and shape of one ``TensorProto`` to another."""
    dtype, shape = tensor.dtype, tensor.tensor_shape.SerializeToString()
    to.Clear()
    to.dtype = dtype
    to.tensor_shape.ParseFromString(shape)


def empty_array(dtype: int, shape: Iterable[int]) -> np.ndarray:
    """Return an aligned array, from which TensorFlow makes a variable without a copy."""
    sizes = tuple(shape)
    kind = np.dtype(tf.as_dtype(dtype).as_numpy_dtype)
    empty: np.ndarray = aligned(math.prod(sizes) * kind.itemsize).view(kind).reshape(sizes)
    return empty


class GraphMessage(SlimGraph):
    """A ``GraphDef`` object, which is not changed."""

    def __init__(self, model: str, message: Any) -> None:
        super().__init__()
        self._model = model
        self._nodes = _slimmed(message, self)
        self._checksums: dict[int, int] = {}

    def contained_bytes(self) -> int:
        """Return the size of the message, a node at a time: all of it would be a second copy of the weights."""
        return sum(node.ByteSize() for node in (*self.definition.node, *self._nodes.values()))

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
        with reading(model, path, "the graph"), regular_file(path).open("rb") as file:
            self._state = file_state(file)
            check_message_size(model, path, self._state[0], text=True)
            message = text_format.Parse(text_of(file, self._state[0]), v1.GraphDef())
        self._nodes: dict[int, Any] | None = _slimmed(message, self)

    def contained_bytes(self) -> int:
        """Return the size of the file."""
        return self._state[0]

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
                nodes = dict(enumerate(text_format.Parse(text_of(file, self._state[0]), v1.GraphDef()).node))
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


def file_state(file: BinaryIO) -> tuple[int, int]:
    """Return the size in bytes and the modification time (ns) of an open file."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def open_unchanged(model: str, path: Path, state: tuple[int, int]) -> Iterator[BinaryIO]:
    """Open a file whose `file_state` must be the same as before, at the end of the block too."""
    changed = SourceError(f"{model}: {path} has changed since it was loaded: add it again")
    try:
        with path.open("rb") as file:
            if file_state(file) != state:
                raise changed
            try:
                yield file
            except MalformedError:
                raise changed from None
            if file_state(file) != state:
                raise changed
    except FileNotFoundError as error:
        msg = f"{model}: {path} is gone since it was loaded: put it back, or add the model from elsewhere"
        raise SourceError(msg) from error
    except OSError as error:
        msg = f"{model}: {path} cannot be read any more: {error.strerror or error}"
        raise SourceError(msg) from error
