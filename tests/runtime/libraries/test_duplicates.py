"""What is loaded twice, and the sentence for each."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from custom_op_library import build_plain, compiler

from tfmagic.runtime.custom_ops.libraries_report import libraries_record
from tfmagic.runtime.libraries.elf import FileHeader
from tfmagic.runtime.libraries.files import duplicates, stem
from tfmagic.runtime.libraries.timeline import libraries

if TYPE_CHECKING:
    from tfmagic.runtime.libraries.files import DuplicateRecord


def told(*paths: str) -> list[DuplicateRecord]:
    return duplicates(map(FileHeader, paths), lambda _: None)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/lib/libz.so.1.2.13", "libz"),
        ("/w/libgfortran-040039e1-0352e75f.so.5.0.0", "libgfortran"),
        ("/w/libgfortran-8f1e9814.so.5.0.0", "libgfortran"),
        ("/usr/lib/libpython3.11.so.1.0", "libpython3"),
        ("/usr/lib/libgomp.so.1", "libgomp"),
        ("/opt/libfoo.2.dylib", "libfoo"),
        ("/w/numpy/_common.cpython-311-x86_64-linux-gnu.so", None),
        ("/w/google/_message.abi3.so", None),
        ("/usr/bin/python3.11", None),
        ("/w/_ops.so", None),
    ],
)
def test_name_without_version_and_mark_of_a_wheel(path: str, name: str | None) -> None:
    assert stem(path) == name


def test_same_library_from_two_paths() -> None:
    (one,) = told("/a/libz.so.1", "/b/libz-12345678.so.1.2", "/a/libother.so")
    assert (one["kind"], one["name"]) == ("same library", "libz")
    assert one["paths"] == ["/a/libz.so.1", "/b/libz-12345678.so.1.2"]
    assert one["why"].startswith("libz is loaded from 2 paths (/a, /b): each copy has memory and settings of its own")


@pytest.mark.parametrize("other", ["libiomp5.so", "libomp.so.5", "libgomp-a34b3233.so.1.0.0"])
def test_two_openmp_runtimes(other: str) -> None:
    (one,) = told("/a/libgomp.so.1", f"/b/{other}", "/a/libompress.so")
    assert one["kind"] == "OpenMP"
    assert one["paths"] == sorted(["/a/libgomp.so.1", f"/b/{other}"])
    assert one["why"].startswith("2 OpenMP runtimes (/a, /b) keep a pool of threads each")


def test_one_of_each_is_no_duplicate() -> None:
    assert (
        told(
            "/a/libgomp.so.1", "/b/libz.so.1", "/b/libzstd.so.1", "/a/_utils.cpython-311.so", "/b/_utils.cpython-311.so"
        )
        == []
    )


@pytest.mark.skipif(sys.platform != "linux", reason="build ids are of ELF files")
def test_copy_of_a_loaded_library_is_told_by_its_contents(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "contents", "int tfmagic_contents = 1;")
    linked = [compiler(), "-shared", "-fPIC", "contents.cc", "-o", "contents.so", "-Wl,--build-id"]
    subprocess.run(linked, cwd=tmp_path, check=True)  # noqa: S603 - the test's own compiler
    copy = Path(shutil.copy(library, tmp_path / "under_another_name.so"))
    before = libraries().summary()["duplicates"]
    for path in (library, copy):
        ctypes.CDLL(str(path))
    assert libraries().summary()["duplicates"] == before + 1
    found = [one for one in libraries_record(sample=False)["duplicates"] if str(copy) in one["paths"]]
    assert [one["paths"] for one in found] == [[str(library), str(copy)]]
    assert "with the same contents (their build ids are the same)" in found[0]["why"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm to look with")
def test_tensorflow_s_second_copy_is_one() -> None:
    import tensorflow as tf

    own = Path(tf.__file__).parent
    record = libraries_record(sample=False)
    (one,) = [one for one in record["duplicates"] if one["kind"] == "TensorFlow's second copy"]
    plugin, framework = sorted(one["paths"], key=lambda path: "framework" in path)
    assert Path(framework) == own / "libtensorflow_framework.so.2"
    defined = [_functions(path) for path in (plugin, framework)]
    assert len(defined[0] & defined[1]) > 10_000


def _functions(path: str) -> set[str]:
    command = ["nm", "--defined-only", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603 - of binutils
    return {parts[2] for parts in map(str.split, lines) if len(parts) == 3 and parts[1] in "TtW"}
