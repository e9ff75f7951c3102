"""``%tf_runtime libraries`` and ``%tf_runtime load``: the shared objects of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.core.units import UNKNOWN, bytes_text, counted
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.runtime_pages import clock_text
from tfmagic.panel.views.view import Page, RecordView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tfmagic.panel.drawing.table import Columns
    from tfmagic.runtime.custom_ops.libraries import OpLibraryRecord
    from tfmagic.runtime.custom_ops.libraries_report import LibrariesRecord, LibraryRecord, OccasionRecord
    from tfmagic.runtime.custom_ops.registrations import OpRecord
    from tfmagic.runtime.libraries.environment import SettingRecord
    from tfmagic.runtime.libraries.files import DuplicateRecord
    from tfmagic.runtime.libraries.gpu import GpuRecord
    from tfmagic.runtime.libraries.shared_objects import CountersRecord


def _value(setting: SettingRecord) -> str:
    value = "not set" if setting["value"] is None else setting["value"]
    if setting["at_start"] is not None:
        value += f"\n(changed too late: the loader has read {setting['at_start']!r})"
    return value


_OCCASIONS: Columns[OccasionRecord] = {
    "occasion": lambda occasion: occasion["occasion"],
    "at": lambda occasion: clock_text(occasion["ended_s"]),
    "loads, unloads before": lambda occasion: _counters_text(occasion["before"]),
    "and after": lambda occasion: _counters_text(occasion["after"]),
    "libraries it brought": lambda occasion: str(len(occasion["brought"])),
    "came since": lambda occasion: str(len(occasion["since"])),
}
_DUPLICATES: Columns[DuplicateRecord] = {
    "there more than once": lambda file: file["name"],
    "what it means": lambda file: file["why"],
    "from": lambda file: "\n".join(file["paths"]),
}
_OP_LIBRARIES: Columns[OpLibraryRecord] = {
    "custom op library": lambda library: library["path"],
    "loaded by": lambda library: library["through"],
    "its operations": lambda library: "\n".join(op_text(op) for op in library["ops"]) or "none",
}
_SETTINGS: Columns[SettingRecord] = {
    "setting": lambda setting: setting["name"],
    "value": _value,
    "decides": lambda setting: setting["decides"],
    "found by it": lambda setting: "\n".join(setting["libraries"]),
}
_FILES: Columns[LibraryRecord] = {
    "library": lambda library: library["name"],
    "version": lambda library: "\n".join(filter(None, (library["version"], library["threads"]))),
    "package": lambda library: " ".join(filter(None, (library["package"], library["package_version"]))),
    "on disk": lambda library: bytes_text(library["size_bytes"]),
    "resident": lambda library: bytes_text(library["resident_bytes"]),
    "came with": lambda library: library["occasion"],
    "at": lambda library: clock_text(library["at_s"]),
    "path": lambda library: library["path"],
}


class LibrariesPage(Page["LibrariesRecord"]):
    """The libraries as tables: figures, duplicates, settings, the GPU, and every file."""

    def _tables(self) -> list[Table]:
        record = self.record
        return [
            Table(("libraries", ""), self._figures()),
            *([Table.of(record["occasions"], _OCCASIONS)] if record["occasions"] else []),
            *([Table.of(record["duplicates"], _DUPLICATES)] if record["duplicates"] else []),
            *([Table.of(record["op_libraries"], _OP_LIBRARIES)] if record["op_libraries"] else []),
            *([Table.of(record["settings"], _SETTINGS)] if record["settings"] else []),
            Table(("GPU", ""), [*_answer_rows(record["gpu"]), *gpu_rows(record["gpu"])]),
        ]

    def _files(self) -> Table:
        # TensorFlow's own first, and the largest of them.
        libraries = sorted(
            self.record["libraries"], key=lambda file: (file["of_tensorflow"], file["size_bytes"] or 0), reverse=True
        )
        return Table.of(libraries, _FILES)

    def _figures(self) -> list[tuple[str, str]]:
        record = self.record
        libraries = record["libraries"]
        of_tensorflow = [library for library in libraries if library["of_tensorflow"]]
        age = record["resident_age_s"]
        return [
            ("loaded", f"{len(libraries)}, {_sizes(libraries)}"),
            ("brought by TensorFlow", f"{len(of_tensorflow)}, {_sizes(of_tensorflow)}" if of_tensorflow else "none"),
            ("since tfmagic was loaded", f"{len(record['since_load'])} came, {len(record['gone_since_load'])} went"),
            ("loads, unloads of the process", _counters_text(record["counters"])),
            ("when tfmagic was loaded", _counters_text(record["counters_at_load"])),
            ("listed by", record["call"]),
            ("resident sizes", "not known on this platform" if age is None else f"sampled {age:.0f} s ago"),
        ]

    def parts(self) -> list[Table]:
        """Return the tables, that of the files last."""
        return [*self._tables(), self._files()]

    def html(self) -> str:
        """Return the tables, that of hundreds of files folded."""
        files = self._files()
        folded = f"<details><summary>{len(files.rows)} libraries, file by file</summary>{files.html()}</details>"
        return "".join(table.html() for table in self._tables()) + folded


class GpuPage(Page["GpuRecord"]):
    """``%tf_runtime gpu``: the answer first, then the other reasons, what to type, and what was looked at."""

    gap = "\n"

    def parts(self) -> Iterator[Table | str]:
        """Yield the answer, the reasons beside the one in it, the lines to type, and the table."""
        gpu = self.record
        yield gpu["answer"]
        yield from (f"also: {reason}" for reason in gpu["reasons"][1:])
        if gpu["advice"]:
            where = "" if gpu["device_files"] else "on a machine with a GPU, "
            yield f"{where}type in a terminal, then restart the kernel:"
            yield from (f"  {line}" for line in gpu["advice"])
        yield Table(("GPU", ""), gpu_rows(gpu))


class OpLibraryLoaded(RecordView["OpLibraryRecord"]):
    """``%tf_runtime load``: what a library has registered.

    `functions` are as ``tf.load_op_library`` gives them; None where the person's code loaded it.
    """

    def __init__(self, record: OpLibraryRecord, functions: Any, *, is_new: bool) -> None:
        super().__init__(record)
        self.functions = functions
        self.is_new = is_new

    def text(self) -> str:
        """Return one line for the library and one for each operation."""
        record = self.record
        if self.is_new:
            head = f"{record['path']} is loaded"
        else:
            by = "" if record["through"] == "tfmagic" else f" by {record['through']}"
            head = f"{record['path']} was loaded already{by}, at {clock_text(record['at_s'])}"
        operations = counted(len(record["ops"]), "operation") if record["ops"] else "no operations"
        lines = [f"{head}: {operations}", *(f"  {op_text(op)}" for op in record["ops"])]
        if record["kernels_for"]:
            lines.append(f"  kernels for {', '.join(record['kernels_for'])}")
        return "\n".join(lines)


def op_text(op: OpRecord) -> str:
    """Return an operation as ``Twice(x: float32) -> (y: float32) on CPU``."""
    devices = ", ".join(op["devices"])
    return f"{op['name']}({', '.join(op['inputs'])}) -> ({', '.join(op['outputs'])})" + (
        f" on {devices}" if devices else ", without a kernel"
    )


def gpu_rows(gpu: GpuRecord) -> list[tuple[str, str]]:
    """Return what is here of all that TensorFlow needs for a GPU."""
    rows = []
    if gpu["cuda_version"] is not None:
        rows.append(("built for", f"CUDA {gpu['cuda_version']}, cuDNN {gpu['cudnn_version'] or UNKNOWN}"))
    rows += [
        ("driver", gpu["driver"] or "libcuda.so.1 not found"),
        ("device files", ", ".join(gpu["device_files"]) or "none"),
    ]
    rows += [
        (
            library["name"],
            (library["found"] + (", loaded" if library["loaded"] else "")) if library["found"] else "not found",
        )
        for library in gpu["needs"]
    ]
    if gpu["needs"]:
        absent = f"\nand {gpu['absent_folders']} that are not there" if gpu["absent_folders"] else ""
        rows.append(("searched", "\n".join([*gpu["searched"], "the loader's cache (ldconfig -p)"]) + absent))
    return rows


def _answer_rows(gpu: GpuRecord) -> list[tuple[str, str]]:
    rows = [("answer", gpu["answer"]), *(("also", reason) for reason in gpu["reasons"][1:])]
    return [*rows, *([("to type", "\n".join(gpu["advice"]))] if gpu["advice"] else [])]


def _sizes(libraries: Sequence[LibraryRecord]) -> str:
    on_disk = [library["size_bytes"] for library in libraries]
    resident = [library["resident_bytes"] for library in libraries]
    return f"{bytes_text(_sum(on_disk))} on disk, {bytes_text(_sum(resident))} resident"


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _counters_text(counters: CountersRecord | None) -> str:
    return "not counted by this platform" if counters is None else f"{counters['loads']}, {counters['unloads']}"
