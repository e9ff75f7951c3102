"""The header of an ELF file: for which machine it is, and which libraries it needs.

The file is read, not its mapping: if somebody truncates a mapped file, reading the mapping
ends the process. Only the header's few kilobytes are read, whatever the file's size. The
layout is that of ``elf(5)``.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC = b"\x7fELF"
SHARED_OBJECT = 3
"""``ET_DYN`` of ``e_type``."""

_LOAD, _DYNAMIC, _NOTE = 1, 2, 4
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
_BUILD_ID = 3
_WRITABLE = 2
# More than any real size: a damaged header must not make us read the whole file.
_SIZE_LIMIT = 1 << 24

_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 21: "PowerPC64", 22: "S390"}


@dataclass(frozen=True)
class Elf:
    """The header of an ELF file.

    Attributes
    ----------
    machine
        The processor it is for, such as ``x86-64``, with ``(32-bit)`` where it is.
    kind
        ``e_type``: `SHARED_OBJECT`, or that of an object file or a program.
    needed
        The libraries that it needs.
    runpath
        The folders in which the loader looks for them, with ``$ORIGIN`` not replaced.
    build_id
        The linker's fingerprint of its contents, in hexadecimal.
    constant
        Offset in the file, address and size of each part that is mapped read-only.
    """

    machine: str
    kind: int
    needed: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    build_id: str | None = None
    constant: tuple[tuple[int, int, int], ...] = ()


class NoElfError(ValueError):
    """The file is no ELF file, or is damaged."""


def read_elf(path: str) -> Elf:
    """Read a file's header.

    Raises
    ------
    NoElfError
        When it is no ELF file.
    OSError
        When it cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a Path is slow to make for each of hundreds of files
        try:
            return _read(file)
        except (struct.error, IndexError, OverflowError, MemoryError) as error:
            msg = f"{path} is no ELF file, or a damaged one"
            raise NoElfError(msg) from error


def _read(file: BinaryIO) -> Elf:
    ident = file.read(16)
    if len(ident) < 16 or ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
        msg = f"{file.name} is no ELF file"
        raise NoElfError(msg)
    wide, order = ident[4] == 2, "<" if ident[5] == 1 else ">"
    kind, machine = struct.unpack(f"{order}HH", file.read(4))
    header = _bytes(file, 0, 64 if wide else 52)
    # e_phoff, then e_phentsize and e_phnum.
    (table,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", header, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", header, 54 if wide else 42)
    segments = _segments(_bytes(file, table, size * count), size, order, wide=wide) if size else []
    dynamic: list[tuple[int, int]] = []
    for segment in segments:
        if segment.kind == _DYNAMIC:
            section = _bytes(file, segment.offset, segment.size)
            dynamic = list(struct.iter_unpack(f"{order}{'QQ' if wide else 'II'}", section))
    strings = _string_table(segments, dict(dynamic).get(_STRTAB))
    named = [(tag, _string(file, strings, at)) for tag, at in dynamic if tag in {_NEEDED, _RPATH, _RUNPATH}]
    notes = (_build_id(_bytes(file, part.offset, part.size), order) for part in segments if part.kind == _NOTE)
    return Elf(
        machine=_MACHINES.get(machine, f"machine {machine}") + ("" if wide else " (32-bit)"),
        kind=kind,
        needed=tuple(name for tag, name in named if tag == _NEEDED),
        runpath=tuple(folder for tag, path in named if tag != _NEEDED for folder in path.split(":") if folder),
        build_id=next(filter(None, notes), None),
        constant=tuple(
            (part.offset, part.address, part.size)
            for part in segments
            if part.kind == _LOAD and not part.flags & _WRITABLE
        ),
    )


def _bytes(file: BinaryIO, at: int, count: int) -> bytes:
    if count > _SIZE_LIMIT or at + count > os.fstat(file.fileno()).st_size:
        raise IndexError(count)
    file.seek(at)
    return file.read(count)


class _Segment(NamedTuple):
    """An entry of the program header table."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


def _segments(table: bytes, size: int, order: str, *, wide: bool) -> list[_Segment]:
    segments = []
    for at in range(0, len(table) - size + 1, size):
        if wide:
            kind, flags, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", table, at)
        else:
            kind, offset, address, _, length, _, flags = struct.unpack_from(f"{order}IIIIIII", table, at)
        segments.append(_Segment(kind, flags, offset, address, length))
    return segments


def _string_table(segments: Sequence[_Segment], address: int | None) -> int | None:
    """Return where in the file the string table is that is loaded at an address."""
    start = None
    for part in segments:
        if address is not None and part.kind == _LOAD and part.address <= address < part.address + part.size:
            start = part.offset + address - part.address
    return start


def _string(file: BinaryIO, table: int | None, at: int) -> str:
    """Read one string; the whole table of a big library has hundreds of megabytes."""
    if table is None or table + at > os.fstat(file.fileno()).st_size:
        raise IndexError(at)
    file.seek(table + at)
    text = b""
    while b"\0" not in text and len(text) < _SIZE_LIMIT and (more := file.read(4096)):
        text += more
    return text.partition(b"\0")[0].decode("utf-8", "replace")


def _build_id(notes: bytes, order: str) -> str | None:
    for kind, name, value in _notes(notes, order):
        if kind == _BUILD_ID and name == b"GNU\0":
            return value.hex()
    return None


def _notes(data: bytes, order: str) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    while at + 12 <= len(data):
        name, size, kind = struct.unpack_from(f"{order}III", data, at)
        begin = at + 12 + (name + 3 & ~3)
        yield kind, data[at + 12 : at + 12 + name], data[begin : begin + size]
        at = begin + (size + 3 & ~3)
