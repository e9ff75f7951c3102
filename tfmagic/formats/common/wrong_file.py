"""What a file is that is not what its name says, as its first bytes tell, and what to do with it."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

from tfmagic.core.naming import in_words
from tfmagic.core.regular_files import POINTER, is_pointer, regular_file
from tfmagic.errors import SourceError
from tfmagic.graphdef.wire_format import BYTES, VARINT, MalformedError, fields

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_HEAD_BYTES = 1024
_MOST_FIELDS = 1000

GRAPH, GRAPH_TEXT, META_GRAPH, SAVED_MODEL, SAVED_MODEL_TEXT, KERAS, HDF5 = (
    "a frozen graph (GraphDef): name it NAME.pb",
    "a graph as text: name it NAME.pbtxt",
    "the graph of a checkpoint (MetaGraphDef): name it NAME.meta, beside NAME.index and NAME.data-…",
    "the graph file of a SavedModel: give the folder that it belongs to, where it is called saved_model.pb",
    "the graph file of a SavedModel, as text: give the folder that it belongs to, where it is called saved_model.pbtxt",
    "a Keras file: name it NAME.keras",
    "an HDF5 file: name it NAME.h5 if it is a Keras model",
)
_EXPECTED = {
    "saved_model.pb": {SAVED_MODEL},
    "saved_model.pbtxt": {SAVED_MODEL_TEXT},
    ".pb": {GRAPH},
    ".pbtxt": {GRAPH_TEXT},
    ".meta": {META_GRAPH},
    **dict.fromkeys((".keras", ".h5", ".hdf5"), frozenset({KERAS, HDF5})),
}

_UNPACK = "unpack it, and give the path of what is in it"
_ELSEWHERE = "tfmagic reads models of TensorFlow and Keras"
# What a file is by the bytes at an offset.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (4, b"TFL3", "a TensorFlow Lite model, which tf.lite.Interpreter runs: add what it was converted from"),
    (0, b"\x1f\x8b", f"packed with gzip: {_UNPACK}"),
    (0, b"BZh", f"packed with bzip2: {_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"packed with xz: {_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"packed with zstd: {_UNPACK}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive: {_UNPACK}"),
    (0, b"Rar!", f"a rar archive: {_UNPACK}"),
    (257, b"ustar", f"a tar archive: {_UNPACK}"),
    (0, b"\x93NUMPY", "an array of NumPy (.npy), and no model"),
    (0, b"GGUF", f"a GGUF file of llama.cpp: {_ELSEWHERE}"),
    (8, b'{"', f"a safetensors file, which has weights and no model: {_ELSEWHERE}"),
    (0, b"\x7fELF", "a program or shared library, and no model"),
    (0, b"%PDF", "a PDF, and no model"),
    (0, b"\x89PNG", "a picture, and no model"),
    (0, b"\xff\xd8\xff", "a picture, and no model"),
    (0, b"SQLite format 3", "a database, and no model"),
    *((0, b"\x80" + bytes([version]), f"a pickle of Python, and no model: {_ELSEWHERE}") for version in range(2, 6)),
)
_AGAIN = "download the file itself again"
# What a text is by how it begins, in small letters and without blanks.
_TEXTS = (
    *((begin, f"an HTML page, as a failed download leaves it: {_AGAIN}") for begin in ("<!doctypehtml", "<html")),
    ("<?xml", f"an XML text, as a failed download leaves it: {_AGAIN}"),
    ("saved_model_schema_version", SAVED_MODEL_TEXT),
    ("meta_graphs", SAVED_MODEL_TEXT),
    ("meta_info_def", "the graph of a checkpoint (MetaGraphDef) as text: export it again with as_text=False"),
    ("graph_def", "the graph of a checkpoint (MetaGraphDef) as text: export it again with as_text=False"),
    *((begin, GRAPH_TEXT) for begin in ("node{", "library{", "versions{")),
    ("model_checkpoint_path", "the file that names a folder's checkpoints: give the folder"),
    ('{"', "a JSON text: a configuration alone has no weights"),
)
# How a table of LevelDB ends. The first value of an index begins with a number, that of the first format has none.
_TABLE_END = bytes.fromhex("57fb808b247547db")
INDEX, FIRST_FORMAT = (
    "the index of a checkpoint: give its path without .index, with NAME.meta beside it",
    "a checkpoint of the first format of Saver: name it NAME, with NAME.meta beside it",
)
"""What tables are."""


def wrong_file(model: str, path: Path) -> SourceError | None:
    """Return the error for a file that is another than its name says; None where that is not known."""
    what = what_it_is(path)
    if what is None or what in _EXPECTED.get(path.name, _EXPECTED.get(path.suffix, set())):
        return None
    return SourceError(f"{model}: {path} is {what}")


def what_it_is(path: Path) -> str | None:
    """Return what a file is by its content, and what to do with it; None where that is not known."""
    with suppress(OSError, ValueError, zipfile.BadZipFile), regular_file(path).open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            return "empty (0 bytes): copy or download it again"
        if head.startswith(b"PK\x03\x04"):
            return _zip(path)
        if is_pointer(head):
            return POINTER
        magic = next((what for at, begin, what in _MAGIC if head[at : at + len(begin)] == begin), None)
        return magic or _text(head) or table_in(file) or _message(file)
    return None


def _zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "config.json" in names and "model.weights.h5" in names:
        return KERAS
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        return f"a model of PyTorch: {_ELSEWHERE}"
    if last and all(name.endswith(".npy") for name in last):
        return "arrays of NumPy (.npz), and no model"
    inside = ", ".join(map(in_words, sorted(names)[:3])) + (", …" if len(names) > 3 else "")
    return f"a zip archive (with {inside or 'nothing'}): {_UNPACK}"


def _text(head: bytes) -> str | None:
    # The last character may be cut.
    text = "".join(head.decode("utf-8", "ignore").lstrip("\ufeff").lower().split())
    return next((what for begin, what in _TEXTS if text.startswith(begin)), None)


def table_in(file: BinaryIO) -> str | None:
    """Return which table of a checkpoint a file holds, `INDEX` or `FIRST_FORMAT`; None for anything else."""
    size = file.seek(0, 2)
    file.seek(max(0, size - len(_TABLE_END)))
    if file.read() != _TABLE_END:
        return None
    file.seek(0)
    begin = file.read(4)
    is_index = begin[:2] == b"\0\0" and begin[2] < 0x80 and begin[3:] == b"\x08"
    return INDEX if is_index else FIRST_FORMAT


def _message(file: BinaryIO) -> str | None:
    """Return which message of protocol buffers a file holds, by the fields that it begins with."""
    size = file.seek(0, 2)
    kinds: dict[int, set[int]] = {}
    first: dict[int, tuple[int, int]] = {}
    with suppress(MalformedError):
        for count, field in enumerate(fields(file, 0, size)):
            kinds.setdefault(field.number, set()).add(field.kind)
            first.setdefault(field.number, (field.start, field.end))
            if count > _MOST_FIELDS:
                break
        if kinds.get(1) == {VARINT}:
            if kinds.get(2) == {BYTES} and kinds.keys() == {1, 2}:
                return SAVED_MODEL
            return f"a model of ONNX: {_ELSEWHERE}" if {7, 8} <= kinds.keys() else None
        if kinds.get(1) == {BYTES}:
            # A node begins with its name and its operation, information on a graph has fields of its own.
            inner = {field.number: field.kind for field in fields(file, *first[1])}
            if inner.get(2) == BYTES and not kinds.keys() - {1, 2, 3, 4} and _is_word(file, first[1]):
                return GRAPH
            if kinds.get(2) == {BYTES}:
                return META_GRAPH
    return None


def _is_word(file: BinaryIO, node: tuple[int, int]) -> bool:
    """Return whether the second field of a message is the name of an operation."""
    operation = next((field for field in fields(file, *node) if field.number == 2), None)
    if operation is None or operation.length > _HEAD_BYTES:
        return False
    file.seek(operation.start)
    return file.read(operation.length).decode("ascii", "replace").replace(">", "").isidentifier()
