"""What came when and with what, against /proc, stat and psutil; and what a second model loads: nothing."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from custom_op_library import build_plain
from factories import printed_from_start

from tfmagic.runtime.custom_ops.libraries_report import libraries_record
from tfmagic.runtime.libraries.shared_objects import BASELINE, OTHER, LoadedObject
from tfmagic.runtime.libraries.timeline import Libraries, libraries

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="compared with what Linux says"),
]

TWO_MODELS = """
    import json, sys
    from pathlib import Path
    from tfmagic.runtime.libraries.timeline import libraries
    from tfmagic.runtime.custom_ops.libraries_report import libraries_record
    libraries()
    import tfmagic
    folder = Path(sys.argv[1])
    added = []
    def look(name):
        libraries().look()
        added.append([name, libraries().objects.counters(), len(libraries().present())])
    look("before")
    for name in ("first", "second", "third"):
        tfmagic.models.add(name, folder / "line.pb")
        tfmagic.models[name]([[1.0, 2.0]])
        look(name)
    record = libraries_record()
    print(json.dumps([added, record]))
"""


def since_baseline(timeline: Libraries) -> list[LoadedObject]:
    return [one for one in timeline.present() if one.phase != BASELINE]


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from factories import frozen_linear

    folder = tmp_path_factory.mktemp("models")
    frozen_linear(folder / "line.pb")
    return json.loads(printed_from_start(TWO_MODELS, str(folder))[-1])


def test_next_model_loads_nothing(two_models: Any) -> None:
    added, record = two_models
    # The first one brings TensorFlow, and what TensorFlow loads when it first runs.
    assert added[1][1] != added[0][1]
    assert added[2][1:] == added[1][1:]
    assert added[3][1:] == added[1][1:]
    occasions = {one["occasion"]: one for one in record["occasions"]}
    for name in ("second", "third"):
        occasion = occasions[f"model {name}"]
        assert occasion["before"] == occasion["after"]
        assert (occasion["brought"], occasion["since"]) == ([], [])


def test_import_of_tensorflow_is_named_for_what_it_brought(two_models: Any) -> None:
    added, record = two_models
    brought = [one for one in record["libraries"] if one["occasion"] == "import of tensorflow"]
    imported = next(one for one in record["occasions"] if one["occasion"] == "import of tensorflow")
    assert len(brought) == imported["after"]["loads"] - imported["before"]["loads"] > 100
    names = {one["name"] for one in brought}
    assert {"libtensorflow_framework.so.2", "libtensorflow_cc.so.2"} <= names
    assert all(one["since_load"] and one["of_tensorflow"] for one in brought)
    assert added[0][2] + len(record["since_load"]) == len(record["libraries"])


def test_tensorflow_s_files_are_of_its_package_and_version(two_models: Any) -> None:
    _, record = two_models
    from importlib import metadata

    framework = next(one for one in record["libraries"] if one["name"] == "libtensorflow_framework.so.2")
    owners = {
        one.metadata["Name"]: one.version
        for one in metadata.distributions()
        for file in one.files or ()
        if file.name == framework["name"] and os.path.realpath(str(one.locate_file(file))) == framework["path"]
    }
    assert framework["package"] == ", ".join(sorted(owners))
    assert framework["package_version"] in owners.values()


def test_every_size_is_the_system_s_own() -> None:
    record = libraries_record()
    # psutil reads the same page tables a moment later.
    resident = {one.path: one.rss for one in psutil.Process().memory_maps(grouped=True)}
    assert len(record["libraries"]) == len(libraries().present())
    # Another test's library may have lost its file while it is loaded.
    on_disk = [one for one in record["libraries"] if Path(one["path"]).exists()]
    assert len(on_disk) > 10
    for one in on_disk:
        assert one["size_bytes"] == Path(one["path"]).stat().st_size
        assert one["resident_bytes"] is not None
    told = sum(one["resident_bytes"] or 0 for one in record["libraries"])
    assert told == pytest.approx(sum(resident.get(one["path"], 0) for one in record["libraries"]), rel=0.05)
    assert told > 10_000_000
    assert json.loads(json.dumps(record)) == record


def test_version_is_that_of_the_file_behind_every_link() -> None:
    record = libraries_record(sample=False)
    versions = {one["name"]: one["version"] for one in record["libraries"]}
    assert versions["libc.so.6"] == "6"
    for one in record["libraries"]:
        if ".so." in one["path"] and one["threads"] is None:
            assert one["version"] is not None
            assert one["path"].endswith(f".so.{one['version']}")


def test_resident_sizes_say_how_old_they_are() -> None:
    first = libraries_record()
    later = libraries_record(sample=False)
    assert later["resident_at_s"] == first["resident_at_s"]
    assert (later["resident_age_s"] or 0) >= (first["resident_age_s"] or 0)


def test_what_comes_and_goes_is_told_with_its_occasion(tmp_path: Path) -> None:
    first = build_plain(tmp_path, "first", "int one = 1;")
    second = build_plain(tmp_path, "second", "int two = 2;")
    mine = Libraries()
    before = mine.summary()
    assert all(one.phase == BASELINE for one in mine.present())
    loaded = ctypes.CDLL(str(first))
    with mine.phase("model digits"):
        ctypes.CDLL(str(second))
    came = {one.shared_object.path: one.phase for one in since_baseline(mine)}
    assert came == {str(first): OTHER, str(second): "model digits"}
    finished = mine.finished()[-1]
    assert finished.before is not None
    assert finished.after is not None
    assert finished.after["loads"] - finished.before["loads"] == 1
    (record,) = libraries_record(mine, sample=False)["occasions"]
    assert record["since"] == []
    assert mine.summary()["count"] == before["count"] + 2
    assert mine.summary()["since_load"] == 2
    ctypes.CDLL(None).dlclose(ctypes.c_void_p(loaded._handle))
    assert [one.shared_object.path for one in since_baseline(mine)] == [str(second)]
    assert libraries_record(mine, sample=False)["gone_since_load"] == [str(first)]
    assert mine.summary()["unloads"] == (before["unloads"] or 0) + 1


def test_an_occasion_that_fails_is_told_as_well(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "failing", "int one = 1;")
    mine = Libraries()

    def build() -> None:
        with mine.phase("model broken"):
            ctypes.CDLL(str(library))
            msg = "broken"
            raise ValueError(msg)

    with pytest.raises(ValueError, match="broken"):
        build()
    assert [one.phase for one in since_baseline(mine)] == ["model broken"]
    assert [one.name for one in mine.finished()] == ["model broken"]


def test_who_looks_meanwhile_takes_nothing_from_an_occasion(tmp_path: Path) -> None:
    during, after = (build_plain(tmp_path, name, "int one = 1;") for name in ("during", "after"))
    mine = Libraries()

    def look() -> None:
        watcher = threading.Thread(target=mine.look)
        watcher.start()
        watcher.join()

    with mine.phase("model digits"):
        ctypes.CDLL(str(during))
        look()
    ctypes.CDLL(str(after))
    look()
    came = {one.shared_object.path: one.phase for one in since_baseline(mine)}
    assert came == {str(during): "model digits", str(after): OTHER}


def test_an_occasion_within_another_has_its_own(tmp_path: Path) -> None:
    outer, inner = (build_plain(tmp_path, name, "int one = 1;") for name in ("outer", "inner"))
    mine = Libraries()
    with mine.phase("model outer"):
        ctypes.CDLL(str(outer))
        with mine.phase("import"):
            ctypes.CDLL(str(inner))
    assert {one.shared_object.path: one.phase for one in since_baseline(mine)} == {
        str(outer): "model outer",
        str(inner): "import",
    }


def test_summary_looks_at_no_file_while_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Libraries()
    first = mine.summary()

    def never(*_: object) -> None:
        msg = "the list was made anew"
        raise AssertionError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(mine.objects, "listed", never)
        patched.setattr(mine, "files", never)
        assert mine.summary() == first
    assert first["count"] == len({one.shared_object for one in mine.present()})
    assert first["duplicates"] == len(libraries_record(sample=False)["duplicates"])


def test_threads_that_look_while_libraries_come_miss_none(tmp_path: Path) -> None:
    files = [build_plain(tmp_path, f"many{number}", "int one = 1;") for number in range(12)]
    mine = Libraries()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            mine.summary()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for file in files:
        ctypes.CDLL(str(file))
    done.set()
    for thread in threads:
        thread.join()
    assert {one.shared_object.path for one in since_baseline(mine)} == {str(file) for file in files}


def test_asking_leaves_the_environment_alone() -> None:
    assert printed_from_start("""
        import os
        from tfmagic.runtime.libraries.timeline import libraries
        from tfmagic.runtime.custom_ops.libraries_report import libraries_record
        os.environ.pop("KMP_DUPLICATE_LIB_OK", None)
        before = dict(os.environ)
        libraries_record()
        print(dict(os.environ) == before)
    """) == ["True"]


def test_threadpoolctl_is_asked_where_there_is_one_and_not_missed_where_there_is_none() -> None:
    threads = printed_from_start("""
        import numpy, sys
        from tfmagic.runtime.libraries.timeline import libraries
        from tfmagic.runtime.custom_ops.libraries_report import libraries_record
        def told():
            return [one["threads"] for one in libraries_record()["libraries"] if "openblas" in one["name"]]
        with_it = told()
        for name in [name for name in sys.modules if name.split(".")[0] == "threadpoolctl"]:
            del sys.modules[name]
        sys.modules["threadpoolctl"] = None
        print(with_it, told())
    """)
    pytest.importorskip("threadpoolctl")
    from threadpoolctl import threadpool_info

    pools = [one["num_threads"] for one in threadpool_info() if "numpy" in one["filepath"]]
    assert threads == [f"['blas, {pools[0]} threads'] [None]"]
