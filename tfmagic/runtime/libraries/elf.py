"""ELF files: for which machine one is, which libraries it needs, and whether it is what is mapped at an address.

The file is read, not its mapping: if somebody truncates a mapped file, reading the mapping
ends the process. Only the header's few kilobytes are read, whatever the file's size. The
layout is that of ``elf(5)``.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAGIC = b"\x7fELF"
SHARED_OBJECT = 3
"""``ET_DYN`` of ``e_type``."""

_LOAD, _DYNAMIC, _NOTE = 1, 2, 4
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
_BUILD_ID = 3
_WRITABLE = 2
# More than any real size: a damaged header must not make us read the whole file.
_SIZE_LIMIT = 1 << 24
# Reading a page that is gone is an error through this file; directly, it would end the process.
_MEMORY = "/proc/self/mem"
_PIECE_BYTES = 1 << 20

_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 21: "PowerPC64", 22: "S390"}


@dataclass(frozen=True)
class Elf:
    """The header of an ELF file.

    ``machine`` is the processor, such as ``x86-64``; ``kind`` is ``e_type``. ``runpath`` has the folders in which the
    loader looks for the libraries in ``needed``, with ``$ORIGIN`` not replaced. ``build_id`` is the linker's
    fingerprint of the contents. ``constant`` has offset in the file, address and size of each read-only part.
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
    """Read a file's header; `NoElfError` if it is no ELF file, `OSError` if it cannot be read."""
    with open(path, "rb") as file:  # noqa: PTH123 - a Path is slow to make for each of hundreds of files
        try:
            return _read(file)
        except (struct.error, IndexError, OverflowError, MemoryError) as error:
            msg = f"{path} is no ELF file, or a damaged one"
            raise NoElfError(msg) from error


class FileHeader(NamedTuple):
    """A file by its real path, the linker's fingerprint of its contents, and the libraries that it needs."""

    path: str
    build_id: str | None = None
    needed: tuple[str, ...] = ()


def file_header(path: str) -> FileHeader:
    """Return the header of a file, with its path alone where it is no ELF file, or gone."""
    real = os.path.realpath(path)
    try:
        elf = read_elf(real)
    except (OSError, NoElfError):
        return FileHeader(real)
    return FileHeader(real, elf.build_id, elf.needed)


def _read(file: BinaryIO) -> Elf:
    ident = file.read(16)
    if len(ident) < 16 or ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
        msg = f"{file.name} is no ELF file"
        raise NoElfError(msg)
    order = "<" if ident[5] == 1 else ">"
    kind, number = struct.unpack(f"{order}HH", file.read(4))
    machine = _MACHINES.get(number, f"machine {number}")
    if ident[4] == 1:
        # TensorFlow has no 32-bit build, so nobody needs more of such a file.
        return Elf(f"{machine} (32-bit)", kind)
    header = _bytes(file, 0, 64)
    # e_phoff, then e_phentsize and e_phnum.
    (table,) = struct.unpack_from(f"{order}Q", header, 32)
    size, count = struct.unpack_from(f"{order}HH", header, 54)
    segments = [_Segment(*entry) for entry in struct.iter_unpack(f"{order}IIQQQQQQ", _bytes(file, table, size * count))]
    dynamic: list[tuple[int, int]] = []
    for segment in segments:
        if segment.kind == _DYNAMIC:
            section = _bytes(file, segment.offset, segment.size)
            dynamic = list(struct.iter_unpack(f"{order}QQ", section))
    address = dict(dynamic).get(_STRTAB, -1)
    loaded = [part for part in segments if part.kind == _LOAD]
    holding = (part for part in loaded if part.address <= address < part.address + part.size)
    strings = next((part.offset + address - part.address for part in holding), None)
    named = [(tag, _string(file, strings, at)) for tag, at in dynamic if tag in {_NEEDED, _RPATH, _RUNPATH}]
    notes = (_build_id(_bytes(file, part.offset, part.size), order) for part in segments if part.kind == _NOTE)
    return Elf(
        machine=machine,
        kind=kind,
        needed=tuple(name for tag, name in named if tag == _NEEDED),
        runpath=tuple(folder for tag, path in named if tag != _NEEDED for folder in path.split(":") if folder),
        build_id=next(filter(None, notes), None),
        constant=tuple((part.offset, part.address, part.size) for part in loaded if not part.flags & _WRITABLE),
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
    physical_address: int
    size: int
    memory_size: int
    alignment: int


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
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(f"{order}III", notes, at)
        begin = at + 12 + (name_size + 3 & ~3)
        if kind == _BUILD_ID and notes[at + 12 : at + 12 + name_size] == b"GNU\0":
            return notes[begin : begin + size].hex()
        at = begin + (size + 3 & ~3)
    return None


def is_mapped(path: str, address: int | None) -> bool | None:
    """Return whether the read-only parts of a shared object are the same in memory as in the file.

    Only the bytes tell: another file may since have come to the path of a loaded library, and the same library can
    lie at another path. `address` is the load address. None where memory cannot be read (other platforms), or the
    file cannot be compared.
    """
    if address is None:
        return None
    try:
        parts = read_elf(path).constant
        with Path(path).open("rb") as file, Path(_MEMORY).open("rb") as memory:
            for offset, start, size in parts:
                for done in range(0, size, _PIECE_BYTES):
                    count = min(_PIECE_BYTES, size - done)
                    try:
                        mapped = os.pread(memory.fileno(), count, address + start + done)
                    except OSError:  # nothing is mapped there: the loaded library is smaller
                        return False
                    if mapped != os.pread(file.fileno(), count, offset + done):
                        return False
            return bool(parts)
    except (OSError, NoElfError):
        return None
