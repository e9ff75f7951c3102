"""A ``.pb`` file whose large constants are read only when they are needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from tfmagic.core.regular_files import regular_file
from tfmagic.formats.common.loading import reading
from tfmagic.formats.common.message_file import check_message_size
from tfmagic.formats.frozen.slim_graph import (
    LARGE_BYTES,
    SlimGraph,
    bytes_in,
    empty_array,
    file_state,
    is_large_size,
    is_whole,
    open_unchanged,
)
from tfmagic.graphdef.wire_format import BYTES, Field, MalformedError, content, fields, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np

# Field numbers of a GraphDef, a NodeDef, an entry of its attributes, an AttrValue and a TensorProto.
_NODE = 1
_OP, _ATTRIBUTE = 2, 5
_KEY, _VALUE = 1, 2
_TENSOR = 8
_CONTENT = 4
# A larger file with odd fields is not read whole to find out what the parser says.
_PARSED_BYTES = 1 << 26
# Fields whose encoded numbers have the bytes of the array.
_AS_THEY_ARE = {tf.float32: 5, tf.float64: 6, tf.complex64: 9, tf.complex128: 12}
_RAW = {dtype.as_datatype_enum: number for dtype, number in _AS_THEY_ARE.items()}


@dataclass(frozen=True)
class _ByteRange:
    """Where a constant's values are in the file: raw numbers, or a ``TensorProto`` to parse."""

    start: int
    end: int
    raw: bool
    dtype: int
    shape: tuple[int, ...]


class GraphFile(SlimGraph):
    """A graph in a ``.pb`` file."""

    def __init__(self, model: str, path: Path) -> None:
        super().__init__()
        self._model, self._path = model, path
        self._ranges: dict[int, _ByteRange] = {}
        with reading(model, path, "the graph"), regular_file(path).open("rb") as file:
            self._state = file_state(file)
            check_message_size(model, path, self._state[0], text=False)
            try:
                slim = self._slim(file)
            except MalformedError:
                if self._state[0] > _PARSED_BYTES:
                    raise
                # The parser reads the whole file, or says what is wrong with it.
                self.removed_bytes.clear()
                self._ranges.clear()
                slim = content(file, 0, self._state[0])
            self.definition.ParseFromString(slim)
            self._pack()

    def contained_bytes(self) -> int:
        """Return the size of the file."""
        return self._state[0]

    def _slim(self, file: BinaryIO) -> bytes:
        """Return the message without the values of large constants, and note where those are."""
        pieces = _Pieces(file)
        index = 0
        for field in fields(file, 0, self._state[0]):
            slim_constant = None
            if field.number == _NODE and field.kind == BYTES:
                if field.length >= LARGE_BYTES:
                    slim_constant = _without_value(file, field)
                index += 1
            if slim_constant is None:
                pieces.keep(field)
            else:
                node, size, self._ranges[index - 1] = slim_constant
                self.removed_bytes[index - 1] = size
                pieces.put(written(_NODE, node))
        return pieces.joined()

    def _read_values(self, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        with open_unchanged(self._model, self._path, self._state) as file:
            for index in indices:
                yield index, _value(file, self._ranges[index])


class _Pieces:
    """The parts of a message that are kept; neighbouring parts are read from the file together."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._parts: list[bytes] = []
        self._start = self._end = 0

    def keep(self, field: Field) -> None:
        """Keep a field as it is."""
        if field.begin != self._end:
            self._read()
            self._start = field.begin
        self._end = field.end

    def put(self, part: bytes) -> None:
        """Append bytes that are not in the file."""
        self._read()
        self._parts.append(part)

    def joined(self) -> bytes:
        """Return everything in its order."""
        self._read()
        return b"".join(self._parts)

    def _read(self) -> None:
        if self._end > self._start:
            self._parts.append(content(self._file, self._start, self._end))
        self._start = self._end = 0


def _without_value(file: BinaryIO, node: Field) -> tuple[bytes, int, _ByteRange] | None:
    """Return a constant's node without values, the values' size and place; None for any other node."""
    pieces = _Pieces(file)
    tensor_parts = None
    seen: Counter[int] = Counter()
    for field in fields(file, node.start, node.end):
        seen[field.number] += 1
        value = _value_entry(file, field) if field.number == _ATTRIBUTE else None
        if value is None:
            pieces.keep(field)
            if field.number == _OP and content(file, field.start, min(field.end, field.start + 8)) != b"Const":
                return None
        elif tensor_parts is not None:
            return None
        else:
            tensor_parts = _tensor(file, value)
            if tensor_parts is None:
                return None
            slim, size, byte_range = tensor_parts
            tensor = written(_VALUE, written(_TENSOR, slim))
            pieces.put(written(_ATTRIBUTE, written(_KEY, b"value") + tensor))
    if tensor_parts is None or seen[_OP] != 1:
        return None
    return pieces.joined(), size, byte_range


def _value_entry(file: BinaryIO, entry: Field) -> Field | None:
    """Return the tensor of the attribute ``value``, None for another attribute."""
    if entry.kind != BYTES:
        return None
    parts = list(fields(file, entry.start, entry.end))
    if [part.number for part in parts] != [_KEY, _VALUE] or any(part.kind != BYTES for part in parts):
        return None
    key, value = parts
    if content(file, key.start, min(key.end, key.start + 8)) != b"value":
        return None
    inside = list(fields(file, value.start, value.end))
    if len(inside) != 1 or (inside[0].number, inside[0].kind) != (_TENSOR, BYTES):
        return None
    return inside[0]


def _tensor(file: BinaryIO, field: Field) -> tuple[bytes, int, _ByteRange] | None:
    """Return a tensor's encoded dtype and shape, its size in bytes, and where its values are."""
    parts = list(fields(file, field.start, field.end))
    if len(parts) > len({part.number for part in parts}):
        return None
    head = b"".join(content(file, part.begin, part.end) for part in parts if part.number < _CONTENT)
    values = [part for part in parts if part.number >= _CONTENT]
    try:
        tensor: Any = tensor_pb2.TensorProto.FromString(head)
        size = bytes_in(tensor)
        if size is None or not is_large_size(size) or len(values) != 1 or values[0].kind != BYTES:
            return None
        raw = values[0].number in {_CONTENT, _RAW.get(tensor.dtype)} and values[0].length == size
        if not raw and not is_whole(tensor_pb2.TensorProto.FromString(content(file, field.start, field.end))):
            return None
    except DecodeError:
        return None
    where = values[0] if raw else field
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    return head, size, _ByteRange(where.start, where.end, raw, tensor.dtype, shape)


def _value(file: BinaryIO, byte_range: _ByteRange) -> np.ndarray:
    if not byte_range.raw:
        packed = content(file, byte_range.start, byte_range.end)
        value: np.ndarray = tf.make_ndarray(tensor_pb2.TensorProto.FromString(packed))
        return value
    value = empty_array(byte_range.dtype, byte_range.shape)
    file.seek(byte_range.start)
    if file.readinto(value.reshape(-1).view("u1").data) < value.nbytes:  # type: ignore[attr-defined]  # of a real file
        msg = "the file ends in a field"
        raise MalformedError(msg)
    return value
