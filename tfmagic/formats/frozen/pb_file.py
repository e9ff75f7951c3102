"""A ``.pb`` file whose large constants stay in the file until they are asked for."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.paths import existing_path
from tfmagic.errors import SourceError
from tfmagic.formats.common.loading import reading
from tfmagic.formats.frozen.slim_graph import LARGE_BYTES, SlimGraph, bytes_in, empty_array, is_large_size, is_whole
from tfmagic.graphdef.wire_format import BYTES, Field, MalformedError, content, fields, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np

# Numbers of fields: of a GraphDef, a NodeDef, an entry of its attributes, an AttrValue and a TensorProto.
_NODE = 1
_OP, _ATTRIBUTE = 2, 5
_KEY, _VALUE = 1, 2
_TENSOR = 8
_CONTENT = 4
# Where the numbers of a field are written as the array has them.
_AS_THEY_ARE = {tf.float32: 5, tf.float64: 6, tf.complex64: 9, tf.complex128: 12}
_RAW = {dtype.as_datatype_enum: number for dtype, number in _AS_THEY_ARE.items()}


@dataclass(frozen=True)
class _Stretch:
    """Where the values of a constant are: as an array has them, or in a ``TensorProto`` that is to be parsed."""

    start: int
    end: int
    raw: bool
    dtype: int
    shape: tuple[int, ...]


class GraphFile(SlimGraph):
    """A graph in a ``.pb`` file.

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
        self._stretches: dict[int, _Stretch] = {}
        with reading(model, path, "the graph"), existing_path(path).open("rb") as file:
            self._state = state_of(file)
            try:
                slim = self._slim(file)
            except MalformedError:
                # What the parser says of the whole is what there is to say.
                self.away.clear()
                self._stretches.clear()
                slim = content(file, 0, self._state[0])
            self.definition.ParseFromString(slim)
            self._pack()

    def _slim(self, file: BinaryIO) -> bytes:
        """Return the message without the values of large constants, and note where those are."""
        pieces = _Pieces(file)
        place = 0
        for field in fields(file, 0, self._state[0]):
            taken = None
            if field.number == _NODE and field.kind == BYTES:
                if field.length >= LARGE_BYTES:
                    taken = _without_value(file, field)
                place += 1
            if taken is None:
                pieces.keep(field)
            else:
                node, size, self._stretches[place - 1] = taken
                self.away[place - 1] = size
                pieces.put(written(_NODE, node))
        return pieces.joined()

    def _elsewhere(self, places: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        with unchanged(self._model, self._path, self._state) as file:
            for place in places:
                yield place, _value(file, self._stretches[place])


class _Pieces:
    """The parts of a message that are kept, read from the file in as long pieces as can be."""

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
        """Have this come next."""
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


def _without_value(file: BinaryIO, node: Field) -> tuple[bytes, int, _Stretch] | None:
    """Return a constant without its values, their size, and where they are; None for what is not one of these."""
    pieces = _Pieces(file)
    found = None
    seen: Counter[int] = Counter()
    for field in fields(file, node.start, node.end):
        seen[field.number] += 1
        value = _value_entry(file, field) if field.number == _ATTRIBUTE else None
        if value is None:
            pieces.keep(field)
            if field.number == _OP and content(file, field.start, min(field.end, field.start + 8)) != b"Const":
                return None
        elif found is not None:
            return None
        else:
            found = _tensor(file, value)
            if found is None:
                return None
            slim, size, stretch = found
            tensor = written(_VALUE, written(_TENSOR, slim))
            pieces.put(written(_ATTRIBUTE, written(_KEY, b"value") + tensor))
    if found is None or seen[_OP] != 1:
        return None
    return pieces.joined(), size, stretch


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


def _tensor(file: BinaryIO, field: Field) -> tuple[bytes, int, _Stretch] | None:
    """Return the dtype and shape of a tensor as they are written, its size, and where its values are."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import tensor_pb2

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
    return head, size, _Stretch(where.start, where.end, raw, tensor.dtype, shape)


def _value(file: BinaryIO, stretch: _Stretch) -> np.ndarray:
    if not stretch.raw:
        from tensorflow.core.framework import tensor_pb2

        packed = content(file, stretch.start, stretch.end)
        value: np.ndarray = tf.make_ndarray(tensor_pb2.TensorProto.FromString(packed))
        return value
    value = empty_array(stretch.dtype, stretch.shape)
    file.seek(stretch.start)
    if file.readinto(value.reshape(-1).view("u1").data) < value.nbytes:  # type: ignore[attr-defined]  # of a real file
        msg = "the file ends in a field"
        raise MalformedError(msg)
    return value


def state_of(file: BinaryIO) -> tuple[int, int]:
    """Return the size in bytes and the time of change of an open file."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def unchanged(model: str, path: Path, state: tuple[int, int]) -> Iterator[BinaryIO]:
    """Open a file that must be as it was, also when the block ends.

    Parameters
    ----------
    model
        The model's name, for messages.
    path
        The file.
    state
        What `state_of` said of it.

    Raises
    ------
    SourceError
        When it is gone, or has changed.
    """
    changed = SourceError(f"{model}: {path} has changed since it was loaded: add it again")
    try:
        with path.open("rb") as file:
            if state_of(file) != state:
                raise changed
            try:
                yield file
            except MalformedError:
                raise changed from None
            if state_of(file) != state:
                raise changed
    except FileNotFoundError as error:
        msg = f"{model}: {path} is gone since it was loaded: put it back, or add the model from elsewhere"
        raise SourceError(msg) from error
    except OSError as error:
        msg = f"{model}: {path} cannot be read any more: {error.strerror or error}"
        raise SourceError(msg) from error
