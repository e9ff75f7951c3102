"""The fields of a protocol buffer in a file, located without reading their content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

VARINT, BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
_LONGEST = 10  # bytes of a varint


class MalformedError(ValueError):
    """A message that a parser would refuse, or that no program writes."""


@dataclass(frozen=True)
class Field:
    """One field of a message: its number and wire type, and the offsets in the file of its tag and its content."""

    number: int
    kind: int
    begin: int
    start: int
    end: int

    @property
    def length(self) -> int:
        """The size of its content in bytes."""
        return self.end - self.start


def fields(file: BinaryIO, start: int, end: int) -> Iterator[Field]:
    """Give the fields of the message between two offsets of a file; a `MalformedError` where there is none."""
    at = start
    while at < end:
        file.seek(at)
        head = file.read(min(2 * _LONGEST, end - at))
        tag, used = _varint(head, 0)
        number, kind = tag >> 3, tag & 7
        if kind == BYTES:
            length, used = _varint(head, used)
        elif kind == VARINT:
            length = _varint(head, used)[1] - used
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            msg = f"a field of wire type {kind}"
            raise MalformedError(msg)
        field = Field(number, kind, at, at + used, at + used + length)
        if field.end > end or not number:
            msg = f"field {number} goes beyond its message"
            raise MalformedError(msg)
        yield field
        at = field.end


def content(file: BinaryIO, start: int, end: int) -> bytes:
    """Return the bytes between two offsets of a file; a `MalformedError` where the file ends before."""
    file.seek(start)
    data = file.read(end - start)
    if len(data) < end - start:
        msg = "the file ends in a field"
        raise MalformedError(msg)
    return data


def written(number: int, message: bytes) -> bytes:
    """Return the bytes of a field whose content is a message."""
    return bytes([*_as_varint(number << 3 | BYTES), *_as_varint(len(message))]) + message


def _varint(head: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at an offset, and the offset of its end."""
    value = shift = 0
    for used in range(at, min(at + _LONGEST, len(head))):
        value |= (head[used] & 0x7F) << shift
        if head[used] < 0x80:
            return value, used + 1
        shift += 7
    msg = "a number without an end"
    raise MalformedError(msg)


def _as_varint(value: int) -> list[int]:
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return [*parts, value]
