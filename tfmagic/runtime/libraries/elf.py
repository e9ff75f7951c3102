"""What the header of an ELF file says: for which machine it is, what it is called, what it needs.

Read from the file and not from memory: a mapped file that somebody cuts short ends
the process that looks. Only a header's few kilobytes are read, whatever the size of
the file. The layout is that of ``elf(5)``.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"
SHARED_OBJECT = 3
"""``ET_DYN`` of ``e_type``."""

_LOAD, _DYNAMIC, _NOTE = 1, 2, 4
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_BUILD_ID = 3
_WRITABLE = 2
# More than any real one has: a damaged header must not have the whole file read.
_SIZE_LIMIT = 1 << 24

_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 21: "PowerPC64", 22: "S390"}


@dataclass(frozen=True)
class Elf:
    """What an ELF file says of itself.

    Attributes
    ----------
    machine
        The processor it is for, such as ``x86-64``, with ``32-bit`` where it is.
    kind
        ``e_type``: `SHARED_OBJECT`, or that of an object file or a program.
    soname
        The name by which others ask for it; None where it has none.
    needed
        The libraries it asks for.
    runpath
        The folders in which it looks for them, ``$ORIGIN`` included as it stands.
    build_id
        The linker's fingerprint of its contents, in hexadecimal; None where it has none.
    constant
        Place in the file, address and size of each part that is mapped and never written.
    """

    machine: str
    kind: int
    soname: str | None = None
    needed: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    build_id: str | None = None
    constant: tuple[tuple[int, int, int], ...] = ()


class NoElfError(ValueError):
    """A file that is no ELF file, or a damaged one."""


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
    header = _bytes(file, 0, 64 if ident[4] == 2 else 52)
    table, size, count = (
        (_one(f"{order}Q", header, 32), *struct.unpack_from(f"{order}HH", header, 54))
        if wide
        else (_one(f"{order}I", header, 28), *struct.unpack_from(f"{order}HH", header, 42))
    )
    name = _MACHINES.get(machine, f"machine {machine}") + ("" if wide else " (32-bit)")
    segments = _segments(_bytes(file, table, size * count), size, order, wide=wide) if size else []
    sections = {one.kind: (one.place, one.size) for one in segments if one.kind == _DYNAMIC}
    dynamic: list[tuple[int, int]] = []
    if _DYNAMIC in sections:
        dynamic = list(struct.iter_unpack(f"{order}{'QQ' if wide else 'II'}", _bytes(file, *sections[_DYNAMIC])))
    text = _texts(file, segments, dict(dynamic).get(_STRTAB))
    named = [(tag, text(value)) for tag, value in dynamic if tag in {_NEEDED, _SONAME, _RPATH, _RUNPATH}]
    notes = (_build_id(_bytes(file, one.place, one.size), order) for one in segments if one.kind == _NOTE)
    return Elf(
        machine=name,
        kind=kind,
        soname=next((value for tag, value in named if tag == _SONAME), None),
        needed=tuple(value for tag, value in named if tag == _NEEDED),
        runpath=tuple(part for tag, value in named if tag in {_RPATH, _RUNPATH} for part in value.split(":") if part),
        build_id=next(filter(None, notes), None),
        constant=tuple(
            (one.place, one.address, one.size) for one in segments if one.kind == _LOAD and not one.flags & _WRITABLE
        ),
    )


def _one(form: str, data: bytes, at: int) -> int:
    found: int = struct.unpack_from(form, data, at)[0]
    return found


def _bytes(file: BinaryIO, at: int, count: int) -> bytes:
    if count > _SIZE_LIMIT or at + count > os.fstat(file.fileno()).st_size:
        raise IndexError(count)
    file.seek(at)
    return file.read(count)


class _Segment(NamedTuple):
    """A part of the file that is mapped, or that says something."""

    kind: int
    flags: int
    place: int
    address: int
    size: int


def _segments(table: bytes, size: int, order: str, *, wide: bool) -> list[_Segment]:
    found = []
    for at in range(0, len(table) - size + 1, size):
        if wide:
            kind, flags, place, address, _, length = struct.unpack_from(f"{order}IIQQQQ", table, at)
        else:
            kind, place, address, _, length, _, flags = struct.unpack_from(f"{order}IIIIIII", table, at)
        found.append(_Segment(kind, flags, place, address, length))
    return found


class _texts:  # noqa: N801 - called as a function
    """The texts of the dynamic section, each read by itself: the table of a big library has hundreds of megabytes."""

    def __init__(self, file: BinaryIO, segments: list[_Segment], address: int | None) -> None:
        self.file = file
        self.start: int | None = None
        for one in segments:
            if address is not None and one.kind == _LOAD and one.address <= address < one.address + one.size:
                self.start = one.place + address - one.address

    def __call__(self, at: int) -> str:
        if self.start is None:
            raise IndexError(at)
        if self.start + at > os.fstat(self.file.fileno()).st_size:
            raise IndexError(at)
        self.file.seek(self.start + at)
        found = b""
        while b"\0" not in found and len(found) < _SIZE_LIMIT and (more := self.file.read(4096)):
            found += more
        return found.partition(b"\0")[0].decode("utf-8", "replace")


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
