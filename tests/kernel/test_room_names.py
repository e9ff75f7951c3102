"""A room's Python names are its own: they never meet the notebook's or another room's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with the three models ``line``, ``second`` and ``third``, each with its own ``x``."""
    kernel.ok(LINE)
    for name, factor in (("second", "3.0"), ("third", "4.0")):
        kernel.ok(LINE.replace("line", name, 1).replace("initializer=2.0", f"initializer={factor}"))
    return kernel


def test_the_same_x_in_three_rooms_and_the_notebook_never_meets_itself(kernel: Kernel) -> None:
    kernel.ok("x = 'notebook'")
    for name in ("line", "second", "third"):
        assert kernel.ok(f"%%tf_run {name}\nx.graph is graph").text == "True"
    for name in ("line", "second", "third"):
        kernel.ok(f"%%tf_run {name}\nx = '{name}'")
    assert kernel.value("x") == "'notebook'"
    kernel.ok("x = 'notebook again'")
    for name in ("line", "second", "third"):
        assert kernel.ok(f"%%tf_run {name}\nx").text == f"'{name}'"
    kernel.ok("del x")
    assert kernel.ok("%%tf_run second\nx").text == "'second'"


def test_what_a_cell_assigns_stays_in_the_room_for_its_next_cell(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\nepochs = 3\nimport math\ndef f(): return epochs")
    assert kernel.value("[name for name in ('epochs', 'math', 'f') if name in globals()]") == "[]"
    assert kernel.ok("%%tf_run line\nf() * math.floor(2.5)").text == "6"
    kernel.ok("from tfmagic import models")
    assert kernel.value("models.line.names['epochs'], 'epochs' in models.second.names") == "(3, False)"


def test_an_assignment_of_an_equal_value_makes_the_name_the_rooms(kernel: Kernel) -> None:
    kernel.ok("epochs = 5")
    kernel.ok("%%tf_run line\nepochs = epochs")
    kernel.ok("epochs = 6")
    assert kernel.ok("%%tf_run line\nepochs").text == "5"


def test_the_notebooks_names_are_seen_as_they_are_now(kernel: Kernel) -> None:
    kernel.ok("rate = 1")
    assert kernel.ok("%%tf_run line\nrate").text == "1"
    kernel.ok("rate = 2")
    assert kernel.ok("%%tf_run line\nrate").text == "2"
    kernel.ok("del rate")
    assert kernel.run("%%tf_run line\nrate").ename == "NameError"


def test_a_deleted_name_shows_the_notebooks_again(kernel: Kernel) -> None:
    kernel.ok("rate = 'notebook'")
    kernel.ok("%%tf_run line\nrate = 'room'")
    kernel.ok("%%tf_run line\ndel rate")
    assert kernel.ok("%%tf_run line\nrate").text == "'notebook'"
    assert kernel.value("rate") == "'notebook'"


@pytest.mark.parametrize(
    "binding",
    [
        "for name in [1]: pass",
        "with open(__import__('os').devnull) as name: pass",
        "import math as name",
        "def name(): pass",
        "class name: pass",
        "(name := 1)",
        "name, other = 1, 2",
        "globals()['name'] = 1",
        "def f():\n    global name\n    name = 1\nf()",
        "from math import pi as name",
        "match 1:\n    case name: pass",
        "%time name = 1",
    ],
)
def test_every_way_to_bind_a_name_binds_it_in_the_room(kernel: Kernel, binding: str) -> None:
    kernel.ok("name = 'notebook'")
    kernel.ok(f"%%tf_run line\n{binding}")
    assert kernel.value("name") == "'notebook'"
    kernel.ok("from tfmagic import models")
    assert kernel.value("'name' in models.line.names") == "True"


def test_session_graph_and_this_are_bound_in_a_cell_and_are_no_names_of_the_room(kernel: Kernel) -> None:
    kernel.ok("import tfmagic, tensorflow as tf")
    cell = "(session is tfmagic.session, graph is tf.compat.v1.get_default_graph(), this.name)"
    assert kernel.ok(f"%%tf_run second\n{cell}").text == "(True, True, 'second')"
    assert kernel.value("sorted(tfmagic.models.second.names)") == "['tf', 'v1', 'w', 'x', 'y']"
    assert kernel.value("[name for name in ('session', 'graph', 'this') if name in globals()]") == "[]"


def test_a_failing_cell_keeps_what_it_had_assigned_and_leaks_nothing(kernel: Kernel) -> None:
    kernel.ok("rate = 'notebook'")
    assert kernel.run("%%tf_run line\nrate = 'room'\n1 / 0").ename == "ZeroDivisionError"
    assert kernel.value("rate") == "'notebook'"
    assert kernel.ok("%%tf_run line\nrate").text == "'room'"


def test_a_function_of_the_room_sent_out_still_sees_the_rooms_names(kernel: Kernel) -> None:
    kernel.ok("factor = 'notebook'")
    kernel.ok("%%tf_run line -o get\nfactor = 'room'\ndef get(): return factor")
    assert kernel.value("get()") == "'room'"


def test_dropping_a_model_lets_its_names_go(kernel: Kernel) -> None:
    kernel.ok("import weakref, gc\nclass Big: pass\nbig = Big(); watch = weakref.ref(big)")
    kernel.ok("%%tf_run line\nmine = big")
    kernel.ok("del big")
    assert kernel.value("watch() is None") == "False"
    kernel.ok("%tf_model drop line\ngc.collect();")
    assert kernel.value("watch() is None") == "True"


def test_an_eager_models_cell_runs_eagerly_in_the_rooms_names(kernel: Kernel) -> None:
    kernel.ok("import tensorflow as tf\nsquare = tf.function(lambda x: x * x)\n%tf_model add live square")
    assert kernel.ok("%%tf_run live\nmine = tf.constant(3)\nint(mine * mine)").text == "9"
    assert kernel.value("'mine' in globals()") == "False"
    assert kernel.ok("%%tf_run live\nthis.live is square, int(mine)").text == "(True, 3)"
