"""The shared objects of the process, against the kernel's own maps."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest
from custom_op_library import build_plain
from factories import printed_from_start

from tfmagic.runtime.libraries.shared_objects import LinuxSharedObjects, SharedObjects, shared_objects

linux = pytest.mark.skipif(sys.platform != "linux", reason="the loader's counters and /proc are Linux's")


def mapped() -> dict[str, int]:
    """Return the files that are mapped as code, with where each begins, by ``/proc/self/maps``."""
    begins: dict[str, int] = {}
    code = set()
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        parts = line.split(None, 5)
        if len(parts) == 6 and parts[5].startswith("/"):
            begins.setdefault(parts[5], int(parts[0].split("-")[0], 16))
            if "x" in parts[1]:
                code.add(parts[5])
    return {path: begins[path] for path in code}


@linux
def test_the_list_is_what_the_kernel_has_mapped_as_code() -> None:
    listed = shared_objects().listed()
    files = {os.path.realpath(one.path): one.address for one in listed}
    expected = mapped()
    assert set(files) == set(expected)
    # The program itself is at 0 where it is not relocated.
    assert {path for path, address in files.items() if address not in {0, expected[path]}} == set()
    assert len(listed) > 20


@linux
def test_what_psutil_sees_mapped_is_the_same_for_platforms_without_a_call() -> None:
    seen = {os.path.realpath(one.path) for one in SharedObjects().listed()}
    libraries = {os.path.realpath(one.path) for one in shared_objects().listed() if ".so" in Path(one.path).name}
    assert {path for path in libraries if path.endswith(".so") or ".so." in path} == seen


@linux
def test_counters_count_every_load_and_unload(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "counted", "int one = 1;")
    close = ctypes.CDLL(None).dlclose
    close.argtypes = [ctypes.c_void_p]
    objects = LinuxSharedObjects()
    before = objects.counters()
    assert before is not None
    mark = objects.mark()
    assert objects.mark() == mark
    loaded = ctypes.CDLL(str(library))
    assert objects.counters() == before | {"loads": before["loads"] + 1}
    assert objects.mark() != mark
    assert str(library) in {one.path for one in objects.listed()}
    # Again is no load.
    ctypes.CDLL(str(library))
    assert objects.counters() == before | {"loads": before["loads"] + 1}
    close(loaded._handle)
    close(loaded._handle)
    assert objects.counters() == {"loads": before["loads"] + 1, "unloads": before["unloads"] + 1}
    assert str(library) not in {one.path for one in objects.listed()}


@linux
def test_library_opened_by_a_relative_path_is_known_by_its_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = build_plain(tmp_path, "near", "int two = 2;")
    monkeypatch.chdir(tmp_path)
    ctypes.CDLL("./near.so")
    monkeypatch.chdir("/")
    assert str(library) in {one.path for one in LinuxSharedObjects().listed()}


@linux
def test_threads_that_look_at_once_see_the_same() -> None:
    objects = shared_objects()
    expected = objects.counters()
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.extend(objects.counters() for _ in range(200))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 1600


@linux
def test_library_whose_file_has_gone_is_still_listed(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "going", "int three = 3;")
    ctypes.CDLL(str(library))
    shutil.move(library, tmp_path / "gone")
    assert str(library) in {one.path for one in LinuxSharedObjects().listed()}


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's loader")
def test_a_look_while_another_thread_loads_does_not_stop_both_for_good() -> None:
    lines = printed_from_start("""
        import _ctypes, importlib.util, os, sys, threading
        from tfmagic.runtime.libraries.shared_objects import shared_objects
        looked_at = shared_objects()
        path = importlib.util.find_spec("_elementtree").origin
        # Often to and fro, and no waiting for each other.
        sys.setswitchinterval(1e-4)
        ended = threading.Event()
        def load_and_unload():
            while not ended.is_set():
                _ctypes.dlclose(_ctypes.dlopen(path, os.RTLD_NOW))
        loading = threading.Thread(target=load_and_unload, daemon=True)
        loading.start()
        for _ in range(500):
            looked_at.counters()
            looked_at.listed()
        ended.set()
        loading.join()
        print("both went on")
    """)
    assert lines == ["both went on"]
