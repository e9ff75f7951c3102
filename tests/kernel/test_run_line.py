"""How a ``%tf_run`` line is read: words, options, inputs, expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

ECHO = """
%%tf_model echo
import tensorflow as tf
text = tf.compat.v1.placeholder(tf.string, [], name="text")
said = tf.identity(text, name="said")
"""


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with a model of one input, one of two, and an array to feed them."""
    kernel.ok(LINE)
    kernel.ok(PAIR)
    kernel.ok("import numpy as np\nX = np.arange(20, dtype='float32').reshape(10, 2)")
    return kernel


def test_blanks_inside_brackets_do_not_split(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line X[:2, :]").text == "array([[0., 2.],\n       [4., 6.]], dtype=float32)"
    assert kernel.ok("%tf_run line x=X[ 1 : 2, : ]").text == "array([[4., 6.]], dtype=float32)"
    assert kernel.ok("%tf_run line np.ones( (1, 2) )").text == "array([[2., 2.]], dtype=float32)"


def test_an_expression_goes_on_over_blanks_outside_brackets(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line X[:1] + 1 if True else X").text == "array([[2., 4.]], dtype=float32)"
    assert kernel.ok("%tf_run pair a=[1, 2] + [3] b=[0] * 3 --fetch gap").text == "array([1., 2., 3.], dtype=float32)"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ('"two  words"', "two  words"),
        ("'a # b'", "a # b"),
        ('"$HOME {X} {{y}} $x"', "$HOME {X} {{y}} $x"),
        (r'"a\tb"', r"a\tb"),
        ("'''say \"it\"'''", 'say "it"'),
        ('"-o --fetch"', "-o --fetch"),
        ('"x=1"', "x=1"),
        ('"semi;colon;"', "semi;colon;"),
        ('f"{len(X)}"', "10"),
        ('"(" + ")"', "()"),
    ],
)
def test_quotes_braces_and_dollars_stay_as_typed(kernel: Kernel, typed: str, text: str) -> None:
    kernel.ok(ECHO)
    assert kernel.ok(f"%tf_run echo {typed}").text == f"b'{text}'"


def test_dicts_and_sets_of_brackets_stay_as_typed(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run pair {'a': [1], 'b': [x for x in [3]]} --fetch total").text == (
        "array([4.], dtype=float32)"
    )


def test_a_comment_is_dropped(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]]  # it's (not) closed --fetch").text == "array([[2., 4.]], dtype=float32)"


@pytest.mark.parametrize("end", [";", " ;", ";  # a comment"])
def test_a_semicolon_at_the_end_asks_for_no_display(kernel: Kernel, end: str) -> None:
    assert kernel.ok(f"%tf_run line [[1, 2]]{end}").results == []
    kernel.ok("import tfmagic")
    assert kernel.value("tfmagic.models.line.record()['calls']") == "1"


@pytest.mark.parametrize(
    "line",
    [
        "--fetch gap pair a=[3] b=[1]",
        "pair --fetch gap a=[3] b=[1]",
        "pair a=[3] --fetch gap b=[1]",
        "pair a=[3] b=[1] --fetch gap",
        "pair a=[3] b=[1] --fetch=gap",
        "pair a=[3] b=[1] --fetch='gap'",
    ],
)
def test_an_option_may_stand_anywhere(kernel: Kernel, line: str) -> None:
    assert kernel.ok(f"%tf_run {line}").text == "array([2.], dtype=float32)"


def test_an_unknown_option_is_refused_with_the_nearest(kernel: Kernel) -> None:
    assert kernel.refused("%tf_run pair a=[3] b=[1] --ftech gap") == (
        "there is no option --ftech (did you mean '--fetch'?)"
    )
    assert "did you mean '--fetch'" in kernel.refused("%tf_run pair a=[3] b=[1] --fetsh=gap")
    assert "did you mean '--signature'" in kernel.refused("%tf_model add net x --signatur s")
    assert "did you mean '--outputs'" in kernel.refused("%%tf_model net --output y\npass")


def test_an_option_without_its_value_is_refused(kernel: Kernel) -> None:
    assert kernel.refused("%tf_run line [[1, 2]] --fetch") == "--fetch needs a value: --fetch a,b"
    assert "takes no value" in kernel.refused("%tf_model drop --all=yes")
    assert "given twice" in kernel.refused("%tf_run line [[1, 2]] --fetch y --fetch y")


def test_a_minus_glued_to_a_name_is_refused_with_how_to_write_a_difference(kernel: Kernel) -> None:
    kernel.ok("a = X[:1]; b = a - 1")
    said = kernel.refused("%tf_run line a -b")
    assert "a - b" in said
    assert "(a -b)" in said
    for right in ("a - b", "(a -b)", "a-b"):
        assert kernel.ok(f"%tf_run line {right}").text == "array([[2., 2.]], dtype=float32)"


def test_a_minus_before_a_number_is_arithmetic(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line X[:1] -1").text == "array([[-2.,  0.]], dtype=float32)"


def test_a_name_and_equals_start_an_input_but_two_equals_compare(kernel: Kernel) -> None:
    kernel.ok("x = 5")
    assert kernel.ok("%tf_run line x=X[:1]").text == "array([[0., 2.]], dtype=float32)"
    assert kernel.ok("%tf_run line [[x==5, x== 4]]").text == "array([[2., 0.]], dtype=float32)"
    assert kernel.ok("%tf_run line x=[[x==5, 0]]").text == "array([[2., 0.]], dtype=float32)"
    assert kernel.ok("%tf_run line X[:1] * x==5").text == "array([[0., 2.]], dtype=float32)"


def test_a_keyword_argument_inside_brackets_is_no_input(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line np.full(shape=(1, 2), fill_value=3)").text == "array([[6., 6.]], dtype=float32)"


def test_several_inputs_come_by_name_a_dict_or_spread(kernel: Kernel) -> None:
    kernel.ok("both = {'b': [1], 'a': [3]}")
    for line in ("b=[1] a=[3]", "both", "dict(a=[3], b=[1])", "**both", "** both", "**{'a': [3]} b=[1]"):
        assert kernel.ok(f"%tf_run pair {line} --fetch gap").text == "array([2.], dtype=float32)", line


@pytest.mark.parametrize("line", ["pair [3], [1]", "pair X Y", "line X X"])
def test_two_positional_inputs_are_refused(kernel: Kernel, line: str) -> None:
    said = kernel.refused(f"%tf_run {line}")
    assert "by name" in said or "by its name" in said


def test_an_input_given_twice_is_refused(kernel: Kernel) -> None:
    assert "'a' is given twice" in kernel.refused("%tf_run pair a=[1] a=[2] b=[1]")
    assert "'a' is given twice" in kernel.refused("%tf_run pair a=[1] **{'a': [2]} b=[1]")
    assert "'x' is given twice" in kernel.refused("%tf_run line {'x': X} x=X")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("line X[:2", "is missing"),
        ("line 'X", "is missing"),
        ("line X +", "is not one expression"),
        ("line X)", "no Python expression"),
        ("line x=", "x= has no value"),
        ("line x = X", "without blanks around the ="),
        ("", "a model's name was expected"),
        ("line import", "no Python expression"),
        ("line **[1]", "expected a mapping of inputs by name"),
    ],
)
def test_what_does_not_parse_is_refused(kernel: Kernel, line: str, said: str) -> None:
    assert said in kernel.refused(f"%tf_run {line}")


def test_expressions_see_the_notebooks_names_and_not_the_rooms(kernel: Kernel) -> None:
    kernel.ok("w = [[1, 1]]")
    assert kernel.ok("%tf_run line w").text == "array([[2., 2.]], dtype=float32)"
    kernel.ok("%%tf_run line\nsecret = [[1, 2]]")
    assert kernel.refused("%tf_run line secret") == ("'secret' raised NameError: name 'secret' is not defined")


def test_expressions_see_a_calling_functions_names(kernel: Kernel) -> None:
    kernel.ok("""
        mine = None
        def call():
            mine = [[1, 2]]
            %tf_run line [[value * 10 for value in mine[0]]] -o out
        call()
    """)
    assert kernel.value("out") == "array([[20., 40.]], dtype=float32)"


def test_what_an_expressions_own_function_raises_keeps_its_traceback(kernel: Kernel) -> None:
    kernel.ok("def broken():\n    raise KeyError('inside')")
    reply = kernel.run("%tf_run line broken()")
    assert (reply.status, reply.ename) == ("error", "KeyError")
    assert "raise KeyError('inside')" in reply.traceback
