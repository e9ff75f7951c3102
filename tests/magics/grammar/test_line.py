"""Splitting a magic's line into words."""

from __future__ import annotations

import pytest

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.line import Line, PartialLine, split, split_partial


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   ", []),
        ("add net  path", ["add", "net", "path"]),
        ("net\tx", ["net", "x"]),
        ("net X[:8, :] y", ["net", "X[:8, :]", "y"]),
        ("net f(a, {'b': [1, 2]}) c", ["net", "f(a, {'b': [1, 2]})", "c"]),
        ("net x=X[:8, :] y=(1, 2)", ["net", "x=X[:8, :]", "y=(1, 2)"]),
        ("net 'two words'", ["net", "'two words'"]),
        ('net x="a b"', ["net", 'x="a b"']),
        ("net 'it\\'s here'", ["net", "'it\\'s here'"]),
        ("net '''it's here'''", ["net", "'''it's here'''"]),
        ('net ""', ["net", '""']),
        ("net f('(') x", ["net", "f('(')", "x"]),
        ("net '[' ]", ["net", "'['", "]"]),
        ("net {x} $y {{z}} \\n", ["net", "{x}", "$y", "{{z}}", "\\n"]),
        ("net a#b", ["net", "a#b"]),
        ("net f(#)", ["net", "f(#)"]),
        ("net x # the rest ' ( is", ["net", "x"]),
        ("# all of it", []),
    ],
)
def test_blanks_split_outside_brackets_and_quotes(line: str, words: list[str]) -> None:
    assert split(line) == Line(tuple(words), silent=False)


@pytest.mark.parametrize("line", ["net x;", "net x ;", "net x;;", "net x;  # quiet", "net x ; # quiet"])
def test_a_semicolon_at_the_end_is_dropped_and_noted(line: str) -> None:
    assert split(line) == Line(("net", "x"), silent=True)


def test_a_semicolon_inside_quotes_stays() -> None:
    assert split("net 'x;'") == Line(("net", "'x;'"), silent=False)


@pytest.mark.parametrize(
    ("line", "missing"),
    [("f(x", "')' is missing"), ("[{1: 2]", "'}' is missing"), ("'x", "' is missing"), ('"""x"', '""" is missing')],
)
def test_what_is_not_closed_is_refused(line: str, missing: str) -> None:
    with pytest.raises(UsageLineError, match="is not closed") as refused:
        split(line)
    assert missing in str(refused.value)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", PartialLine()),
        ("m x", PartialLine(("m",), "x")),
        ("m x ", PartialLine(("m", "x"))),
        ("m f(a, ", PartialLine(("m",), "f(a, ", (")",))),
        ("m f([1", PartialLine(("m",), "f([1", (")", "]"))),
        ("m 'a b", PartialLine(("m",), "'a b", quote="'", quoted="a b")),
        ("m f('a ", PartialLine(("m",), "f('a ", (")",), "'", "a ")),
        ('m """a"', PartialLine(("m",), '"""a"', quote='"""', quoted='a"')),
        ("m 'a\\'", PartialLine(("m",), "'a\\'", quote="'", quoted="a\\'")),
        ("m 'a' ", PartialLine(("m", "'a'"))),
        ("m # 'a", PartialLine(("m",), comment=True)),
        ("m a#b", PartialLine(("m",), "a#b")),
        ("m a)b", PartialLine(("m",), "a)b")),
    ],
)
def test_the_beginning_of_a_line_says_what_is_open(line: str, expected: PartialLine) -> None:
    assert split_partial(line) == expected
