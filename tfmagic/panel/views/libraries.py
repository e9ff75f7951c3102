"""``%tf_runtime libraries`` and ``%tf_runtime load``: the shared objects of the process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text
from tfmagic.panel.views.view import Page, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.custom_ops.libraries import OpLibraryRecord
    from tfmagic.runtime.custom_ops.libraries_report import LibrariesRecord, LibraryRecord
    from tfmagic.runtime.custom_ops.registrations import OpRecord
    from tfmagic.runtime.libraries.environment import SettingRecord
    from tfmagic.runtime.libraries.gpu import GpuRecord
    from tfmagic.runtime.libraries.shared_objects import CountersRecord


class LibrariesPage(Page):
    """The libraries as tables: figures, duplicates, settings, the GPU, and every file."""

    def __init__(self, record: LibrariesRecord) -> None:
        self.record = record

    def _tables(self) -> list[Table]:
        record = self.record
        tables = [Table(("libraries", ""), self._figures())]
        if record["occasions"]:
            rows = [
                (
                    occasion["occasion"],
                    _clock(occasion["ended_s"]),
                    _counters_text(occasion["before"]),
                    _counters_text(occasion["after"]),
                    str(len(occasion["brought"])),
                    str(len(occasion["since"])),
                )
                for occasion in record["occasions"]
            ]
            headings = ("occasion", "at", "loads, unloads before", "and after", "libraries it brought", "came since")
            tables.append(Table(headings, rows))
        if record["duplicates"]:
            twice = [(file["name"], file["why"], "\n".join(file["paths"])) for file in record["duplicates"]]
            tables.append(Table(("there more than once", "what it means", "from"), twice))
        if record["op_libraries"]:
            ops = [
                (library["path"], library["through"], "\n".join(op_text(op) for op in library["ops"]) or "none")
                for library in record["op_libraries"]
            ]
            tables.append(Table(("custom op library", "loaded by", "its operations"), ops))
        if record["settings"]:
            tables.append(
                Table(("setting", "value", "decides", "found by it"), list(map(_setting, record["settings"])))
            )
        tables.append(Table(("GPU", ""), gpu_rows(record["gpu"])))
        return tables

    def _files(self) -> Table:
        libraries = sorted(self.record["libraries"], key=_by_size, reverse=True)
        headings = ("library", "version", "package", "on disk", "resident", "came with", "at", "path")
        return Table(headings, list(map(_library, libraries)))

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


class OpLibraryLoaded(View):
    """``%tf_runtime load``: what a library has registered.

    `functions` are its Python functions, as ``tf.load_op_library`` gives them; None where
    the person's code loaded the library and has them.
    """

    def __init__(self, record: OpLibraryRecord, functions: Any, *, anew: bool) -> None:
        self.record = record
        self.functions = functions
        self.anew = anew

    def text(self) -> str:
        """Return one line for the library and one for each operation."""
        record = self.record
        if self.anew:
            head = f"{record['path']} is loaded"
        else:
            by = "" if record["through"] == "tfmagic" else f" by {record['through']}"
            head = f"{record['path']} was loaded already{by}, at {_clock(record['at_s'])}"
        lines = [f"{head}: {_count(len(record['ops']), 'operation')}", *(f"  {op_text(op)}" for op in record["ops"])]
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
    """Return the rows about whether TensorFlow uses a GPU, and if not, why."""
    rows = [("answer", gpu["answer"])]
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


def _library(library: LibraryRecord) -> tuple[str, ...]:
    package = " ".join(filter(None, (library["package"], library["package_version"])))
    return (
        library["name"],
        "\n".join(filter(None, (library["version"], library["threads"]))),
        package,
        bytes_text(library["size_bytes"]),
        bytes_text(library["resident_bytes"]),
        library["occasion"],
        _clock(library["at_s"]),
        library["path"],
    )


def _setting(setting: SettingRecord) -> tuple[str, ...]:
    value = "not set" if setting["value"] is None else setting["value"]
    if setting["at_start"] is not None:
        value += f"\n(changed too late: the loader has read {setting['at_start']!r})"
    return setting["name"], value, setting["decides"], "\n".join(setting["libraries"])


def _by_size(library: LibraryRecord) -> tuple[bool, int]:
    return library["of_tensorflow"], library["size_bytes"] or 0


def _sizes(libraries: Sequence[LibraryRecord]) -> str:
    on_disk = [library["size_bytes"] for library in libraries]
    resident = [library["resident_bytes"] for library in libraries]
    return f"{bytes_text(_sum(on_disk))} on disk, {bytes_text(_sum(resident))} resident"


def _sum(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _counters_text(counters: CountersRecord | None) -> str:
    return "not counted by this platform" if counters is None else f"{counters['loads']}, {counters['unloads']}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number or 'no'} {what}s"


def _clock(at_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))
