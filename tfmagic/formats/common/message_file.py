"""Messages of protocol buffers, read from a file of which it is known before that it can be one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from tfmagic.core.regular_files import regular_file
from tfmagic.core.units import size_text
from tfmagic.errors import SourceError
from tfmagic.formats.common.declared import LARGEST_MESSAGE_BYTES, check_obtainable
from tfmagic.formats.common.loading import reading
from tfmagic.graphdef.wire_format import BYTES, MalformedError, content, fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

# Text has up to four characters for a byte, such as \000.
_CHARACTERS = 4
# The bytes of a file, the text of them, and the message.
_COPIES = 3
# The fields of a smaller file are left to the parser, which is quicker.
_WALKED_BYTES = 1 << 26
_CHUNK_BYTES = 1 << 24

Nested = dict[int, "Nested"]
GRAPH: Nested = {1: {}}
META_GRAPH: Nested = {2: GRAPH}
SAVED_MODEL: Nested = {2: META_GRAPH}
"""The numbers of those fields that are messages with the nodes of a graph in them."""


def read_message(model: str, path: Path, message: Any, nested: Mapping[int, Any], *, text: bool = False) -> Any:
    """Fill a message from a file and return it; what can be no such file is refused before it is read."""
    with reading(model, path, "the graph"), regular_file(path).open("rb") as file:
        size = file.seek(0, 2)
        check_message_size(model, path, size, text=text)
        if text:
            text_format.Parse(text_of(file, size), message)
        else:
            if size >= _WALKED_BYTES:
                walk(file, 0, size, nested)
            message.ParseFromString(content(file, 0, size))
    return message


def check_message_size(model: str, path: Path, size: int, *, text: bool) -> None:
    """Refuse a file that is too large for a message, or for the memory that there is."""
    most = LARGEST_MESSAGE_BYTES * (_CHARACTERS if text else 1)
    if size > most:
        msg = f"{model}: {path} is {size_text(size)}, and no file of a graph is larger than {size_text(most)}"
        raise SourceError(msg)
    check_obtainable(f"{model}: reading {path}, of {size_text(size)},", size * _COPIES)


def text_of(file: BinaryIO, size: int) -> str:
    """Return the text in a file, up to its size now; a `ValueError` at the first byte that no text has."""
    parts = []
    file.seek(0)
    while size > 0 and (part := file.read(min(_CHUNK_BYTES, size))):
        if b"\0" in part:
            msg = "it is binary, and text was expected"
            raise ValueError(msg)
        size -= len(part)
        parts.append(part)
    return b"".join(parts).decode()


def walk(file: BinaryIO, start: int, end: int, nested: Mapping[int, Any]) -> None:
    """Raise a `MalformedError` where the fields of a large message in a file are no such fields."""
    for field in fields(file, start, end):
        if field.number in nested:
            if field.kind != BYTES:
                msg = f"field {field.number} is no message"
                raise MalformedError(msg)
            walk(file, field.start, field.end, nested[field.number])
