"""A cell in a room is ordinary notebook Python: functions, classes, magics, display, tracebacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with the model ``line``."""
    kernel.ok(LINE)
    return kernel


def in_room(kernel: Kernel, code: str) -> str:
    """Run a cell in the room of ``line``, and return what it displays."""
    return kernel.ok(f"%%tf_run line\n{code}").text


def test_the_last_expression_is_displayed(kernel: Kernel) -> None:
    assert in_room(kernel, "1 + 1\n'last'") == "'last'"
    assert kernel.ok("%%tf_run line\nvalue = 1").results == []
    assert kernel.ok("%%tf_run line\nNone").results == []
    assert kernel.ok("%%tf_run line\nif True:\n    5").results == []


@pytest.mark.parametrize("cell", ["%%tf_run line\n7;", "%%tf_run line\n7;  # quiet", "%%tf_run line;\n7"])
def test_a_semicolon_at_the_end_suppresses_the_display(kernel: Kernel, cell: str) -> None:
    assert kernel.ok(cell).results == []


def test_what_a_cell_prints_and_displays_is_shown(kernel: Kernel) -> None:
    reply = kernel.ok("%%tf_run line\nfrom IPython.display import display\nprint('hello')\ndisplay('shown')\n3")
    assert reply.stdout == "hello\n"
    assert [result["text/plain"] for result in reply.results] == ["'shown'", "3"]


def test_functions_see_the_rooms_names_and_each_other(kernel: Kernel) -> None:
    code = """
factor = 3
def inner(value): return value * factor
def outer(values): return [inner(value) for value in values if value < factor]
outer([1, 2, 3])
"""
    assert in_room(kernel, code) == "[3, 6]"
    assert in_room(kernel, "factor = 10\nouter([1, 9, 11])") == "[10, 90]"


def test_recursion_closures_generators_and_lambdas_work(kernel: Kernel) -> None:
    code = """
def factorial(n): return 1 if n < 2 else n * factorial(n - 1)
def adder(n): return lambda value: value + n + base
def counting():
    yield from (base + n for n in range(2))
base = 100
factorial(5), adder(1)(2), list(counting())
"""
    assert in_room(kernel, code) == "(120, 103, [100, 101])"


def test_classes_with_comprehensions_in_their_bodies_work(kernel: Kernel) -> None:
    kernel.ok("notebook_scale = 10")
    code = """
scale = 2
class Net:
    own = [scale * n * notebook_scale for n in range(3)]
    table = {name: scale for name in "ab"}
    def doubled(self): return [value * scale for value in self.own]
class Deeper(Net):
    def doubled(self): return super().doubled()[1:]
Net().doubled(), Deeper().doubled(), Net.table, Net.__module__
"""
    assert in_room(kernel, code) == "([0, 40, 80], [40, 80], {'a': 2, 'b': 2}, '__main__')"


def test_a_dataclass_works(kernel: Kernel) -> None:
    code = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n    y: int = 2\nPoint(1)"
    assert in_room(kernel, code) == "Point(x=1, y=2)"


def test_decorators_work(kernel: Kernel) -> None:
    code = """
import functools
def twice(function):
    @functools.wraps(function)
    def called(*values): return 2 * function(*values)
    return called
@twice
@functools.lru_cache
def f(value): return value + 1
f(4), f.__name__
"""
    assert in_room(kernel, code) == "(10, 'f')"


def test_a_tf_function_of_the_room_runs_in_its_graph(kernel: Kernel) -> None:
    code = """
@tf.function
def grown(value):
    if tf.reduce_sum(value) > 0:
        return value * w + 1.0
    return value
session.run(grown(x), {x: [[1, 2]]}).tolist()
"""
    assert in_room(kernel, code) == "[[3.0, 5.0]]"


def test_time_works_on_the_rooms_names(kernel: Kernel) -> None:
    reply = kernel.ok(
        "%%tf_run line\nvalues = [3, 1, 2]\n%time ordered = sorted(v for v in values if v in values)\nordered"
    )
    assert "Wall time" in reply.stdout
    assert reply.text == "[1, 2, 3]"
    kernel.ok("from tfmagic import models")
    assert kernel.value("'ordered' in models.line.names, 'ordered' in globals()") == "(True, False)"
    reply = kernel.ok("%%tf_run line\n%%time\nagain = [v in values for v in values]\nagain")
    assert "Wall time" in reply.stdout
    assert reply.text == "[True, True, True]"
    assert kernel.value("'again' in models.line.names, 'again' in globals()") == "(True, False)"


def test_timeit_works_on_the_rooms_names_and_leaves_none_in_the_notebook(kernel: Kernel) -> None:
    kernel.ok("x = 'notebook'\ndef get(): return x\nbefore = None\nbefore = set(globals())")
    timed = kernel.ok("%%tf_run line\ntimed = %timeit -o -q -n 2 -r 1 session.run(y, {x: [[1, 2]]})\ntimed.loops")
    assert timed.text == "2"
    assert "per loop" in kernel.ok("%%tf_run line\n%%timeit -n 2 -r 1\n[session.run(w) for _ in range(2)]").stdout
    assert kernel.ok("%%tf_run line\n%time get()").text == "'notebook'"
    assert kernel.value("sorted(name for name in set(globals()) - before if not name.startswith('_'))") == "[]"
    assert kernel.value("x") == "'notebook'"


def test_a_magic_after_a_room_works_on_the_notebook_again(kernel: Kernel) -> None:
    kernel.ok("values = 'notebook'")
    kernel.ok("%%tf_run line\nvalues = 'room'\n%time values")
    assert kernel.run("%%tf_run line\n%time 1 / 0").ename == "ZeroDivisionError"
    assert kernel.ok("%time values").text == "'notebook'"
    kernel.ok("%time mine = values")
    assert kernel.value("mine") == "'notebook'"


def test_a_shell_command_and_help_work(kernel: Kernel) -> None:
    assert in_room(kernel, "lines = !echo hello\nlist(lines)") == "['hello']"
    assert "Return the sum" in kernel.ok("%%tf_run line\nsum?").page


def test_tf_run_works_inside_a_room(kernel: Kernel) -> None:
    assert in_room(kernel, "given = [[1, 2]]\n%tf_run line given -o mine\nmine.tolist()") == "[[2.0, 4.0]]"
    kernel.ok("from tfmagic import models")
    assert kernel.value("'mine' in models.line.names, 'mine' in globals()") == "(True, False)"


def test_another_cell_magic_under_it_works(kernel: Kernel) -> None:
    assert "Wall time" in kernel.ok("%%time\n%tf_run line [[1, 2]]").stdout
    assert "Wall time" in kernel.ok("%%time\n%%tf_run line\nsession.run(w)").stdout


def test_a_traceback_shows_the_cells_own_lines_with_their_numbers(kernel: Kernel) -> None:
    reply = kernel.run("%%tf_run line\na = 1\ndef f():\n    return a / 0  # here\n\nf()")
    assert reply.ename == "ZeroDivisionError"
    assert "----> 4     return a / 0  # here" in reply.traceback
    assert "----> 6 f()" in reply.traceback
    assert "tfmagic/" not in reply.traceback
    assert "run_cell_magic" not in reply.traceback


def test_an_error_of_a_room_is_shown_as_that_of_any_other_cell(kernel: Kernel) -> None:
    plain = kernel.run("# %%tf_run line\ndef f():\n    return 1 / 0\nf()").traceback
    in_room = kernel.run("%%tf_run line\ndef f():\n    return 1 / 0\nf()").traceback
    assert re.sub(r"In\[\d+\]", "In[N]", in_room) == re.sub(r"In\[\d+\]", "In[N]", plain)


def test_a_traceback_of_a_building_cell_shows_its_lines_too(kernel: Kernel) -> None:
    reply = kernel.run("%%tf_model net\n\nimport tensorflow as tf\nx = tf.zeros([2])\nnone.shape")
    assert reply.ename == "NameError"
    assert "----> 5 none.shape" in reply.traceback
    assert "tfmagic/" not in reply.traceback


def test_a_function_of_an_earlier_cell_is_shown_with_that_cells_lines(kernel: Kernel) -> None:
    kernel.ok("%%tf_run line\ndef broken(value):\n    return value / 0  # earlier")
    reply = kernel.run("%%tf_run line\n\nbroken(1)")
    assert "----> 3     return value / 0  # earlier" in reply.traceback
    assert "----> 3 broken(1)" in reply.traceback


def test_a_syntax_error_names_the_cells_own_line(kernel: Kernel) -> None:
    reply = kernel.run("%%tf_run line\na = 1\nb = = 2")
    assert reply.ename == "UsageError"
    assert reply.evalue == "line 3 of this cell: invalid syntax\n    b = = 2\n        ^"
    assert kernel.ok("%%tf_run line\n1").text == "1"


def test_the_source_of_a_function_of_the_room_can_be_read(kernel: Kernel) -> None:
    code = "import inspect\ndef f(value):\n    return value  # own line\ninspect.getsource(f)"
    assert "own line" in in_room(kernel, code)
