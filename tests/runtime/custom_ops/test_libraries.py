"""Custom op libraries: loaded once, shown, and refused before they can break anything.

Every scenario runs in a Python of its own: a library stays for the life of a process.
"""

from __future__ import annotations

import _ctypes
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from custom_op_library import build_ops, build_plain
from factories import printed

from tfmagic.errors import OpLibraryError
from tfmagic.runtime.custom_ops.libraries import op_libraries

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

BEGIN = """
    import json, os, shutil, sys
    folder = sys.argv[1]
    os.chdir(folder)
    import tensorflow as tf
    from tfmagic.errors import OpLibraryError
    from tfmagic.runtime.libraries.timeline import libraries
    from tfmagic.runtime.custom_ops.libraries_report import libraries_record
    from tfmagic.runtime.custom_ops.libraries import op_libraries

    libraries()
    ops = op_libraries()
    told = {}

    def load(name, path):
        before = libraries().objects.counters()
        try:
            library, is_new = ops.load(path)
            told[name] = {"is_new": is_new, "record": library.record, "functions": library.functions is not None}
        except OpLibraryError as error:
            told[name] = {"refused": str(error)}
        told[name]["loads"] = libraries().objects.counters()["loads"] - before["loads"]

    def twice():
        # A new graph makes a new kernel: one that is there already would go on working.
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            return session.run(functions.tfmagic_twice(tf.constant([1.0, 2.5]))).tolist()
"""
LOADED_ONCE = """
    load("first", "twice.so")
    load("again", f"{folder}/twice.so")
    os.symlink("twice.so", "link.so")
    load("link", "link.so")
    functions = ops.load("twice.so")[0].functions
    told["answer"] = twice()
    shutil.copy("twice.so", "copy.so")
    load("copy", "copy.so")
    load("rebuilt", "rebuilt.so")
    load("gpu", "gpu.so")
    told["still"] = twice()
    told["twice"] = [one["name"] for one in libraries_record()["duplicates"] if one["kind"] == "operation"]
    told["occasions"] = {one["occasion"]: one for one in libraries_record()["occasions"]}
    told["of_the_list"] = {one["name"]: one["occasion"] for one in libraries_record()["libraries"]}
    os.unlink("twice.so")
    shutil.copy("rebuilt.so", "twice.so")
    load("changed", "twice.so")
    print(json.dumps(told))
"""
BY_THE_PERSON = """
    functions = tf.load_op_library("./twice.so")
    told["answer"] = twice()
    told["of_the_list"] = {one["name"]: one["occasion"] for one in libraries_record()["libraries"]}
    load("rebuilt", "rebuilt.so")
    load("same", "twice.so")
    told["still"] = twice()
    told["before"] = [one for one in libraries_record()["duplicates"] if one["kind"] == "operation"]
    tf.load_op_library("./rebuilt.so")
    told["after"] = [one for one in libraries_record()["duplicates"] if one["kind"] == "operation"]
    try:
        told["broken"] = twice()
    except tf.errors.OpError as error:
        told["broken"] = str(error)
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_ops(tmp_path_factory.mktemp("built"))


def scenario(built: Path, folder: Path, code: str) -> dict[str, Any]:
    for one in built.glob("*.so"):
        shutil.copy(one, folder)
    told: dict[str, Any] = json.loads(printed(BEGIN + code, str(folder))[-1])
    return told


@pytest.fixture(scope="module")
def told(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return scenario(built, tmp_path_factory.mktemp("told"), LOADED_ONCE)


def test_library_is_loaded_once_however_it_is_asked_for(told: dict[str, Any]) -> None:
    assert [told[name]["is_new"] for name in ("first", "again", "link")] == [True, False, False]
    assert [told[name]["loads"] for name in ("first", "again", "link")] == [1, 0, 0]
    assert told["answer"] == [2.0, 5.0]


def test_what_it_registered_is_told(told: dict[str, Any], built: Path) -> None:
    record = told["first"]["record"]
    assert record["ops"] == [
        {"name": "TfmagicTwice", "inputs": ["x: float32"], "outputs": ["y: float32"], "devices": ["CPU"]}
    ]
    assert (record["through"], record["kernels_for"]) == ("tfmagic", [])
    command = ["strings", str(built / "twice.so")]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - of binutils, as g++
    assert record["ops"][0]["name"] in names.split()


def test_copy_and_rebuild_are_refused_before_they_are_loaded(told: dict[str, Any]) -> None:
    assert "copy.so is a copy of" in told["copy"]["refused"]
    assert "twice.so, which is loaded: its operations (TfmagicTwice) are there already" in told["copy"]["refused"]
    assert "it registers TfmagicTwice again, which" in told["rebuilt"]["refused"]
    assert "restart the kernel" in told["rebuilt"]["refused"]
    assert [told[name]["loads"] for name in ("copy", "rebuilt")] == [0, 0]
    assert not any("\n" in told[name]["refused"] for name in ("copy", "rebuilt", "changed"))
    assert (told["still"], told["twice"]) == ([2.0, 5.0], [])


def test_kernel_of_the_same_operation_for_another_device_is_fine(told: dict[str, Any]) -> None:
    assert told["gpu"]["is_new"]
    assert told["gpu"]["loads"] == 1


def test_file_that_has_changed_since_it_was_loaded_is_not_taken_for_what_is_loaded(told: dict[str, Any]) -> None:
    assert "twice.so has changed since it was loaded" in told["changed"]["refused"]
    assert told["changed"]["loads"] == 0


def test_it_is_in_the_list_with_its_occasion_and_the_counters_around_it(told: dict[str, Any]) -> None:
    assert told["of_the_list"]["twice.so"] == "custom op twice.so"
    occasion = told["occasions"]["custom op twice.so"]
    assert occasion["after"]["loads"] == occasion["before"]["loads"] + 1
    assert [path.rpartition("/")[2] for path in occasion["brought"]] == ["twice.so"]


def test_library_that_the_person_s_code_loaded_is_known(built: Path, tmp_path: Path) -> None:
    told = scenario(built, tmp_path, BY_THE_PERSON)
    assert told["of_the_list"]["twice.so"] == "custom op"
    assert f"it registers TfmagicTwice again, which {tmp_path}/twice.so has registered" in told["rebuilt"]["refused"]
    assert (told["same"]["is_new"], told["same"]["loads"]) == (False, 0)
    assert told["same"]["record"]["through"] == "tf.load_op_library"
    assert [one["name"] for one in told["same"]["record"]["ops"]] == ["TfmagicTwice"]
    assert (told["answer"], told["still"], told["before"]) == ([2.0, 5.0], [2.0, 5.0], [])
    # What the refusals are for: the same, past tfmagic.
    assert "Multiple OpKernel registrations match" in told["broken"]
    assert [one["name"] for one in told["after"]] == ["TfmagicTwice"]
    assert sorted(told["after"][0]["paths"]) == [f"{tmp_path}/rebuilt.so", f"{tmp_path}/twice.so"]


def refusal(path: Path | str) -> str:
    with pytest.raises(OpLibraryError) as caught:
        op_libraries().load(path)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_what_is_no_library_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.so"
    text.write_text("int main() {}")
    empty = tmp_path / "empty.so"
    empty.touch()
    assert refusal(tmp_path / "nowhere.so") == f"there is no file '{tmp_path}/nowhere.so'"
    assert refusal("") == "there is no file ''"
    assert refusal(tmp_path) == f"{tmp_path} is a folder, expected a shared object (.so)"
    assert refusal("/dev/null") == "/dev/null is no file, expected a shared object (.so)"
    for file in (text, empty):
        assert refusal(file) == f"{file} is no shared object: it does not begin as one, or is cut short"


def test_a_loaded_library_that_is_none_of_operations_is_not_taken_for_one() -> None:
    file = _ctypes.__file__
    with pytest.raises(OpLibraryError, match="is loaded already, and is no library of operations") as caught:
        op_libraries().load(file)
    assert len(str(caught.value).splitlines()) == 1
    assert file not in [one["path"] for one in op_libraries().records()]


def test_library_of_another_machine_is_refused_in_one_line(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "plain", "int one = 1;")
    data = bytearray(library.read_bytes())
    for machine, name in ((183, "AArch64"), (40, "ARM"), (4711, "machine 4711")):
        data[18:20] = machine.to_bytes(2, "little")
        library.write_bytes(data)
        assert refusal(library).startswith(f"{library} was built for {name}, this process is ")


def test_object_file_is_refused_in_one_line(built: Path) -> None:
    assert "is an object file or a program" in refusal(built / "twice.o")


def test_library_of_another_tensorflow_is_refused_and_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "other", 'extern "C" int of_an_older_one(); int one = of_an_older_one();')
    said = refusal(library)
    assert said.startswith(f"{library} was built for another TensorFlow, this is 2.")
    assert "undefined symbol: of_an_older_one" in said
    assert "tf.sysconfig.get_compile_flags()" in said
    assert str(library) not in open("/proc/self/maps", encoding="utf-8").read()  # noqa: SIM115, PTH123 - no file


def test_library_that_ends_its_process_leaves_this_one_alive(tmp_path: Path) -> None:
    library = build_plain(tmp_path, "fatal", "#include <cstdlib>\n__attribute__((constructor)) void end() { abort(); }")
    assert refusal(library) == f"{library} was not loaded: it ends the process that loads it (SIGABRT)"


def test_damaged_library_is_refused_in_one_line(built: Path, tmp_path: Path) -> None:
    whole = (built / "twice.so").read_bytes()
    library = tmp_path / "cut.so"
    for length in (10, 60, 200, len(whole) // 2):
        library.write_bytes(whole[:length])
        assert str(library) in refusal(library)
