"""``%tf_model save`` and ``show --python`` in a real kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

KERAS = """
import keras, numpy as np
x = keras.Input((2,), name="x")
network = keras.Model(x, keras.layers.Dense(3, kernel_initializer="ones", name="last")(x))
network.compile("adam", "mse")
network.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0);
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(kernel: Kernel) -> None:
    kernel.ok("import tempfile\nplace = tempfile.mkdtemp(dir='.')\n%cd -q {place}")


def test_a_cells_model_is_saved_in_each_format_and_read_back(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(5.0))")
    here = kernel.value("import os\nos.getcwd()").strip("'")
    said = kernel.ok("%tf_model save line out").text
    assert re.fullmatch(rf"line saved: SavedModel {here}/out, [\d.]+ kB with 1 variable", said)
    said = kernel.ok("%tf_model save line ./out.pb").text
    assert re.fullmatch(rf"line saved: frozen graph {here}/out.pb, \d+ B with 1 variable as constants", said)
    for path in ("out", "out.pb"):
        kernel.ok(f"%tf_model add back ./{path} --replace")
        assert kernel.ok("%tf_run back [[1, 2]]").text == "array([[ 5., 10.]], dtype=float32)"


def test_a_live_keras_model_is_saved_with_its_optimizer(kernel: Kernel) -> None:
    kernel.ok(KERAS)
    kernel.ok("%tf_model add net (network)")
    for path in ("net.keras", "net"):
        assert "8 variables, 6 of them for training alone" in kernel.ok(f"%tf_model save net {path}").text
    kernel.ok("again = keras.models.load_model('net.keras')")
    assert kernel.value("int(again.optimizer.iterations)") == "1"
    said = kernel.ok("%tf_model save net net.pb").text
    assert "2 variables as constants" in said


def test_a_path_may_be_an_expression(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("from pathlib import Path\nfolder, number = Path('.'), 3\nout = 7")
    kernel.ok('%tf_model save line folder / "my net"')
    kernel.ok('%tf_model save line f"run{number}.pb"')
    kernel.ok("%tf_model save line (str(folder / 'other.pb'))")
    kernel.ok("%tf_model save line out")
    kernel.ok('%tf_model save line "a folder"')
    there = kernel.value("sorted(__import__('os').listdir())")
    assert there == "['a folder', 'my net', 'other.pb', 'out', 'run3.pb']"


def test_replace_is_asked_for_and_the_old_stays_until_then(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_model save line out")
    assert kernel.refused("%tf_model save line out") == (
        "out is there already: say --replace (replace=True) to put the model in its place"
    )
    kernel.ok("%%tf_run line\nsession.run(w.assign(3.0))")
    kernel.ok("%tf_model save line out --replace")
    kernel.ok("%tf_model add back ./out")
    assert kernel.ok("%tf_run back [[1, 2]]").text == "array([[3., 6.]], dtype=float32)"


def test_saved_over_its_own_source_run_all_keeps_it(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add net scales/1")
    kernel.ok("import tfmagic\nbackend = tfmagic.models.net.lifecycle.built_backend()")
    kernel.ok("backend.assign([(name, 2 * value) for name, value in list(backend.values())])")
    kernel.ok("%tf_model save net scales/1 --replace")
    assert kernel.ok("%tf_model add net scales/1").text == "net: unchanged, kept"
    kernel.ok("tfmagic.session.close()")
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[4., 8.]], dtype=float32)"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("save", "a model's name and a path were expected: %tf_model save NAME PATH"),
        ("save line", "a model's name and a path were expected: %tf_model save NAME PATH"),
        ("save lime out", "there is no model 'lime' (did you mean 'line'?)"),
        (
            "save line out.onnx",
            ".onnx is a format that is not written here; a folder (SavedModel), .pb ",
        ),
        ("save line out.keras", ".keras holds Keras models; line is a cell: save it as a folder or .pb"),
        ("save line nowhere/out", "is not there (make it first: mkdir -p "),
        ("save line gs://bucket/out", "gs://bucket/out is not on this machine: save to a path here"),
        ("save line two words", "'two words' has blanks: write it in quotes"),
        ("save line (7)", "(7) gives an object of int, and a path was expected to save to"),
        ("save line out --force", "there is no option --force"),
        ("show line --python", "line is only in this notebook: save it first (%tf_model save line ./line), then"),
        ("show lime --python", "there is no model 'lime'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(kernel: Kernel, line: str, why: str) -> None:
    kernel.ok(LINE)
    assert why in kernel.refused(f"%tf_model {line}")
    assert kernel.value("__import__('os').listdir()") == "[]"


def test_the_code_that_is_shown_answers_in_a_fresh_process(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add net scales/10 --inputs rows=x")
    shown = kernel.ok("%tf_model show net --python")
    assert shown.text.startswith("import tensorflow as tf\n")
    assert "<pre" in shown.html
    assert "def net(rows):" in shown.html
    kernel.ok("r = %tf_model show net --python")
    assert kernel.value("isinstance(r, str), r.splitlines()[0]") == "(True, 'import tensorflow as tf')"
    code = kernel.ok("print(r)").stdout
    done = subprocess.run(  # noqa: S603 - the code that is to be shown right
        [sys.executable, "-c", code + "\nprint(net([[1, 2]]))\nimport sys; assert 'tfmagic' not in sys.modules"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "{'y': array([[3., 6.]], dtype=float32)}\n"


def test_code_for_a_model_of_the_notebook_once_it_is_saved(kernel: Kernel) -> None:
    kernel.ok(KERAS)
    kernel.ok("%tf_model add net (network)")
    assert "net is only in this notebook: save it first" in kernel.refused("%tf_model show net --python")
    kernel.ok("%tf_model save net net.keras")
    kernel.ok("code = %tf_model show net --python\nnames = {}\nexec(code, names)")
    same = "bool((names['net'](np.ones((1, 2)))['last'] == network(np.ones((1, 2))).numpy()).all())"
    assert kernel.value(same) == "True"
    kernel.ok("network.fit(np.ones((4, 2)), np.zeros((4, 3)), verbose=0);")
    assert "net has changed since it was saved" in kernel.refused("%tf_model show net --python")


def test_save_is_among_the_verbs_of_the_help(kernel: Kernel) -> None:
    everything = kernel.ok("%tf_model --help").text
    assert "%tf_model save NAME PATH" in everything
    assert "--python" in everything
    assert "--replace" in kernel.ok("%tf_model save --help").text
