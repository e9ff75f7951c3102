"""A few dozen cells, end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel.cells import EAGER, EAGER_TRAIN, LINE, PAIR, STUCK
from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

SOURCES = {
    "net.keras": "Keras file",
    "old.h5": "Keras file",
    "exported": "SavedModel",
    "simple": "SavedModel",
    "frozen.pb": "frozen graph",
    "frozen.pbtxt": "frozen graph",
    "ckpt": "checkpoint",
    "ckpt/model-7.meta": "checkpoint",
    "live": "",
    "live --copy": "",
    "module": "",
    "function": "",
    "concrete": "",
    "graph": "",
    "definition": "",
}
LINE_OF_2 = "array([[2., 4.]], dtype=float32)"
BIG = """
%%tf_model big
x = v1.placeholder(tf.float32, [None, 5000], name="x")
w = v1.get_variable("w", [5000, 5000], initializer=v1.ones_initializer())
y = tf.matmul(x, w, name="y")
"""
RSS = "import psutil\nrss = lambda: psutil.Process().memory_info().rss / 1e6"


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_source(kernel: Kernel, source: str) -> None:
    said = kernel.ok(f"%tf_model add net {source}").text
    assert said.startswith(f"net added: {SOURCES[source]}"), said
    kernel.ok("%tf_run net [[1, 2]] -o answer")
    assert kernel.value("np.asarray(answer).ravel().tolist()") == "[6.0]"


def test_a_cell_of_a_graph(kernel: Kernel) -> None:
    kernel.ok(LINE)
    assert kernel.ok("%tf_run line [[1, 2]]").text == LINE_OF_2
    assert "line" in kernel.ok("%tf_model").text
    kernel.ok("%%tf_run line\nsession.run(w.assign(3.0))")
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[3., 6.]], dtype=float32)"


def test_a_cell_of_a_network_which_is_trained(kernel: Kernel) -> None:
    kernel.ok(EAGER)
    kernel.ok(EAGER_TRAIN)
    kernel.ok("%tf_run net np.ones((1, 2)) -o answer")
    assert kernel.value("float(np.asarray(answer).item()) < 2") == "True"


def test_a_semicolon_hides_the_result_and_names_take_it(kernel: Kernel) -> None:
    kernel.ok(LINE)
    assert not kernel.ok("%tf_run line [[1, 2]];").results
    assert not kernel.ok("answer = %tf_run line [[1, 2]]").results
    assert kernel.value("answer.tolist()") == "[[2.0, 4.0]]"
    assert not kernel.ok("%%tf_run line\nx.shape;").results
    assert kernel.ok("%%tf_run line\nx.shape").results


def test_what_is_typed_wrong_is_one_line(kernel: Kernel) -> None:
    assert "there is no model 'nothing'" in kernel.refused("%tf_run nothing [1]")
    assert kernel.refused("%tf_model add net missing.pb")


def test_several_models_are_compared_and_run(kernel: Kernel) -> None:
    kernel.ok("%tf_model add one net.keras\n%tf_model add two frozen.pb")
    assert "one" in kernel.ok("%tf_run one,two [[1, 2]]").text


def test_magics_work_in_a_room(kernel: Kernel) -> None:
    kernel.ok(LINE)
    assert "s" in kernel.ok("%%tf_run line\n%time 1 + 1").stdout
    assert "Tensor" in kernel.ok("%%tf_run line\nx?").page


def test_batches(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line np.ones((10, 2)) --batch-size 4 -o answer")
    assert kernel.value("answer.shape") == "(10, 2)"


def test_parked_and_woken(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line [[1, 2]];")
    kernel.ok("%tf_model park line")
    assert kernel.value("__import__('tfmagic').models.line.state") == "'parked'"
    assert kernel.ok("%tf_run line [[1, 2]]").text == LINE_OF_2


def test_warmed(kernel: Kernel) -> None:
    kernel.ok("%tf_model add net frozen.pb --warm")
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[6.]], dtype=float32)"


def test_drop_gives_memory_back(kernel: Kernel) -> None:
    kernel.ok(RSS)
    for _ in range(2):  # the first run takes what stays
        kernel.ok("before = rss()")
        kernel.ok(BIG)
        kernel.ok("%tf_run big np.ones((1, 5000)) -o answer")
        assert kernel.value("rss() - before > 90") == "True"
        assert "given back" in kernel.ok("%tf_model drop big").text
    assert kernel.value("rss() - before < 20") == "True"


@pytest.mark.parametrize("path", ["out", "out.pb"])
def test_saved_and_read_back(kernel: Kernel, path: str) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(5.0))")
    kernel.ok(f"%tf_model save line ./{path} --replace")
    kernel.ok(f"%tf_model add back ./{path}")
    assert kernel.ok("%tf_run back [[1, 2]]").text == "array([[ 5., 10.]], dtype=float32)"


def test_a_keras_model_is_saved_and_read_back(kernel: Kernel) -> None:
    kernel.ok("%tf_model add net live\n%tf_model save net again.keras --replace\n%tf_model add back again.keras")
    kernel.ok("%tf_run back [[1, 2]] -o answer")
    assert kernel.value("np.asarray(answer).tolist()") == "[[6.0]]"


def test_stop(kernel: Kernel) -> None:
    kernel.ok(STUCK)
    kernel.ok(LINE)
    stopped = interrupted(kernel, "%tf_run stuck 1")
    assert (stopped.status, stopped.ename) == ("error", "KeyboardInterrupt")
    assert kernel.ok("%tf_run line [[1, 2]]").text == LINE_OF_2


def test_the_panel_as_text(kernel: Kernel) -> None:
    kernel.ok(LINE)
    shown = kernel.ok("import tfmagic\ntfmagic.Panel()")
    assert "line" in shown.text
    assert "Panel(" not in shown.text
    assert shown.results[-1]["application/vnd.jupyter.widget-view+json"]
    assert "line" in kernel.ok("%tf_panel").text


@pytest.mark.parametrize("page", ["", "memory", "log", "libraries", "placement"])
def test_pages_of_the_runtime(kernel: Kernel, page: str) -> None:
    assert kernel.ok(f"%tf_runtime {page}").text


@pytest.mark.parametrize("jedi", [True, False])
def test_completion(kernel: Kernel, jedi: bool) -> None:  # noqa: FBT001 - a parameter of the test
    kernel.ok(PAIR)
    kernel.ok(f"%config IPCompleter.use_jedi = {jedi}")
    kernel.ok("my_batch = np.ones(2)\nother_batch = {'first': 1}")
    for cell, wanted in {
        "%tf_model dr": ["%tf_model drop"],
        "%tf_run pa": ["%tf_run pair"],
        "%tf_run pair my": ["%tf_run pair my_batch"],
        "%%tf_run pair\ntota": ["%%tf_run pair\ntotal"],
        "%tf_model add net net.k": ["%tf_model add net net.keras"],
        "my_bat": ["my_batch"],
    }.items():
        tab = kernel.complete(cell)
        assert (tab.cells, tab.printed) == (wanted, ""), cell
    assert kernel.complete("%tf_panel my").matches == []
    kernel.ok("%config IPCompleter.use_jedi = True")


def test_loaded_again_and_unloaded(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%reload_ext tfmagic")
    assert kernel.ok("%tf_run line [[1, 2]]").text == LINE_OF_2
    kernel.ok("my_batch = 1\n%unload_ext tfmagic")
    assert "not found" in kernel.run("%tf_model").stderr
    assert kernel.complete("my_bat").matches == ["my_batch"]
    kernel.ok("%load_ext tfmagic")


def test_nothing_was_said_that_nobody_asked_for(kernel: Kernel) -> None:
    assert kernel.ok("%config TfMagic.panel_interval").stderr == ""
    assert kernel.ok("%tf_runtime log").status == "ok"
