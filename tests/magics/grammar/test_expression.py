"""Expressions in a line."""

from __future__ import annotations

import ast
import inspect
from types import MappingProxyType
from typing import Any

import pytest
import tensorflow as tf

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.expression import evaluate, names_are_bound, parsed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x + 1", 3),
        ("  x", 2),
        ("[x * n for n in range(3)]", [0, 2, 4]),
        ("(lambda: x)()", 2),
        ("{'a': x}", {"a": 2}),
        ("len('{x} $x')", 6),
    ],
)
def test_an_expression_sees_the_given_names(text: str, value: Any) -> None:
    assert evaluate(text, {"x": 2}) == value
    assert evaluate(text, MappingProxyType({"x": 2})) == value


@pytest.mark.parametrize("text", ["x =", "import os", "", "x;", "\0"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    assert parsed(text) is None
    with pytest.raises(UsageLineError, match="is no Python expression"):
        evaluate(text, {})


def test_what_it_raises_by_itself_is_one_line() -> None:
    with pytest.raises(UsageLineError, match=r"^'1 / 0' raised ZeroDivisionError: division by zero$"):
        evaluate("1 / 0", {})
    with pytest.raises(UsageLineError, match=r"^'y' raised NameError: name 'y' is not defined$"):
        evaluate("y", {})


def test_what_a_function_raises_comes_through_with_a_note() -> None:
    def broken() -> None:
        msg = "inside"
        raise KeyError(msg)

    with pytest.raises(KeyError) as raised:
        evaluate("broken()", {"broken": broken})
    assert raised.value.__notes__ == ["raised while 'broken()' was evaluated"]


def test_evaluating_leaves_the_callers_future_imports_out() -> None:
    # This module's annotations are texts; those of an evaluated expression are not.
    function = evaluate("lambda: None", {})
    assert function() is None


@pytest.mark.parametrize(
    ("text", "bound"),
    [("a", True), ("a.b", True), ("a / c", False), ("len", True), ("c", False), ("f'{c}'", False), ("2024", True)],
)
def test_an_expression_whose_names_all_exist_is_told_apart(text: str, *, bound: bool) -> None:
    tree = parsed(text)
    assert isinstance(tree, ast.expr)
    assert names_are_bound(tree, {"a": 1}) is bound


def test_the_source_of_a_lambda_is_there_for_autograph() -> None:
    names = {"tf": tf, "__name__": "__main__"}
    text = "tf.function(lambda x: tf.reduce_sum(x) if x[0] > 0.0 else x[0])"
    # Only converted code can branch on a tensor.
    assert evaluate(text, names)(tf.constant([1.0, 2.0])) == 3.0
    other = evaluate(text.replace("reduce_sum", "reduce_max"), names)
    assert other(tf.constant([1.0, 2.0])) == 2.0
    assert inspect.getsource(evaluate("lambda a: a + 1", {})) == "lambda a: a + 1\n"
