"""The libraries in a real kernel: the list, the proof that a model loads none, custom ops, Tab."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from custom_op_library import build_ops, build_plain

from kernel.cells import LINE
from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the import of TensorFlow brings is what these look at.
BY_ITSELF = True

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="compared with what Linux says"),
]

RECORD = """
import json, sys
from tfmagic.runtime.custom_ops.libraries_report import libraries_record
print(json.dumps(libraries_record()))
"""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel of its own: what it loads stays with it."""
    kernel = Kernel(tmp_path, by_itself=True)
    yield kernel
    kernel.stop()


def record(kernel: Kernel) -> Any:
    return json.loads(kernel.ok(RECORD).stdout)


def maps(kernel: Kernel) -> str:
    kernel.ok("import os")
    return Path(f"/proc/{kernel.value('os.getpid()')}/maps").read_text(encoding="utf-8")


def code(kernel: Kernel) -> set[str]:
    """Return the files of which Linux says that their code is in a kernel."""
    return {line.split(None, 5)[5] for line in maps(kernel).splitlines() if "x" in line.split()[1] and "/" in line}


def test_list_is_what_the_system_says_of_the_kernel(fresh: Kernel) -> None:
    fresh.ok("%load_ext tfmagic")
    fresh.ok("import tensorflow")
    before, told, after = code(fresh), record(fresh), code(fresh)
    # A thread of IPython's or TensorFlow's may import something meanwhile.
    assert before <= {one["path"] for one in told["libraries"]} <= after
    assert [one["occasion"] for one in told["occasions"]] == ["import of tensorflow"]
    baseline = [one for one in told["libraries"] if not one["since_load"]]
    assert not [one for one in baseline if "tensorflow" in one["name"]]
    assert len(told["since_load"]) == len(told["libraries"]) - len(baseline) > 100
    shown = fresh.ok("%tf_runtime libraries")
    lines = [" ".join(line.split()) for line in shown.text.splitlines()]
    loaded = next(line for line in lines if line.startswith("loaded "))
    assert len(told["libraries"]) <= int(loaded.split()[1].rstrip(",")) <= len(code(fresh))
    assert any(line.startswith("import of tensorflow") for line in lines)
    assert any(line.startswith("libtensorflow_cc.so.2 2 tensorflow") for line in lines)
    assert any(line.startswith("answer ") for line in lines)
    assert "<table>" in shown.html


def test_next_model_changes_neither_counters_nor_list(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line [[1, 2]]")
    before = record(kernel)
    kernel.ok(LINE.replace("line", "other"))
    kernel.ok("%tf_run other [[1, 2]]")
    after = record(kernel)
    assert after["counters"] == before["counters"]
    assert [one["path"] for one in after["libraries"]] == [one["path"] for one in before["libraries"]]
    occasion = next(one for one in after["occasions"] if one["occasion"] == "model other")
    assert occasion["before"] == occasion["after"] == after["counters"]
    assert (occasion["brought"], occasion["since"]) == ([], [])


def test_loading_anew_keeps_the_first_baseline(kernel: Kernel) -> None:
    before = record(kernel)
    kernel.ok("%reload_ext tfmagic")
    kernel.ok("%unload_ext tfmagic\n%load_ext tfmagic")
    after = record(kernel)
    for key in ("loaded_at_s", "counters_at_load", "since_load"):
        assert after[key] == before[key]
    assert len(after["since_load"]) > 100


def test_what_a_cell_loads_is_noted_when_the_cell_ends(kernel: Kernel) -> None:
    library = build_plain(kernel.folder, "late", "int one = 1;")
    kernel.ok(f"import ctypes, time\nctypes.CDLL({str(library)!r})")
    kernel.ok("began = time.time()")
    (late,) = [one for one in record(kernel)["libraries"] if one["path"] == str(library)]
    assert late["occasion"] == "other"
    assert late["at_s"] <= float(kernel.value("began"))


def test_looking_before_tensorflow_is_there_imports_none(fresh: Kernel) -> None:
    fresh.ok("%load_ext tfmagic\nimport sys")
    text = fresh.ok("%tf_runtime libraries").text
    assert re.search(r"^brought by TensorFlow +none$", text, re.MULTILINE)
    assert fresh.value("'tensorflow' in sys.modules") == "False"


def test_custom_op_is_loaded_once_and_a_rebuild_is_refused(fresh: Kernel, tmp_path: Path) -> None:
    build_ops(tmp_path)
    fresh.ok("%load_ext tfmagic")
    said = fresh.ok("%tf_runtime load twice.so").text
    op = "  TfmagicTwice(x: float32) -> (y: float32) on CPU"
    assert said.splitlines() == [f"{tmp_path}/twice.so is loaded: 1 operation", op]
    again = fresh.ok("ops = %tf_runtime load ./twice.so\nops").text
    assert re.fullmatch(rf"{tmp_path}/twice\.so was loaded already, at [\d:]+: 1 operation", again.splitlines()[0])
    assert fresh.value("ops.functions.tfmagic_twice([1.0, 2.0]).numpy().tolist()") == "[2.0, 4.0]"
    shutil.copy(tmp_path / "twice.so", tmp_path / "a copy.so")
    assert "a copy.so is a copy of" in fresh.refused("%tf_runtime load 'a copy.so'")
    assert "registers TfmagicTwice again" in fresh.refused("%tf_runtime load rebuilt.so")
    mapped = maps(fresh)
    assert "twice.so" in mapped
    assert "rebuilt.so" not in mapped
    assert "a copy.so" not in mapped
    # A new kernel of the op, in a model's own graph.
    fresh.ok("""
        %%tf_model doubled
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        y = tf.identity(ops.functions.tfmagic_twice(x), name="y")
    """)
    assert fresh.ok("%tf_run doubled [3, 4]").text == "array([6., 8.], dtype=float32)"
    assert "custom op twice.so" in fresh.ok("%tf_runtime libraries").text


def test_bad_lines_are_one_line_each(kernel: Kernel) -> None:
    folder = kernel.folder
    build_plain(folder, "other", 'extern "C" int of_an_older_one(); int one = of_an_older_one();')
    before = kernel.value(
        "__import__('tfmagic.runtime.libraries.timeline').runtime.libraries.timeline.libraries().objects.counters()"
    )
    assert kernel.refused("%tf_runtime load") == "which library?: %tf_runtime load PATH (a path with blanks in quotes)"
    assert "'b.so' was not expected" in kernel.refused("%tf_runtime load a.so b.so")
    assert kernel.refused("%tf_runtime load nowhere.so") == "there is no file 'nowhere.so'"
    assert kernel.refused("%tf_runtime load .") == ". is a folder, expected a shared object (.so)"
    assert "undefined symbol: of_an_older_one" in kernel.refused("%tf_runtime load other.so")
    assert "did you mean 'libraries'" in kernel.refused("%tf_runtime librarys")
    assert "'now' was not expected" in kernel.refused("%tf_runtime libraries now")
    assert (
        kernel.value(
            "__import__('tfmagic.runtime.libraries.timeline').runtime.libraries.timeline.libraries().objects.counters()"
        )
        == before
    )


def test_tab_knows_the_verbs_and_the_paths(kernel: Kernel) -> None:
    (kernel.folder / "mine.so").touch()
    assert {"libraries", "load"} <= set(kernel.complete("%tf_runtime l").matches)
    assert kernel.complete("%tf_runtime load mi").matches == ["mine.so"]


def test_what_tensorflow_takes_for_builtins_stays_alive(kernel: Kernel) -> None:
    kernel.ok("import tensorflow as tf")
    kernel.ok(
        "import builtins, gc\n"
        "from tensorflow.python.autograph.pyct.inspect_utils import _BUILTIN_FUNCTION_IDS as ids\n"
        "import _tfmagic_process\n"
        "held = {id(one) for one in vars(_tfmagic_process)['builtins at the import']}"
    )
    assert kernel.value("ids <= held") == "True"
