"""Options of a line, wherever they stand."""

from __future__ import annotations

import pytest

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.options import Command, Option, parse, unquoted

COMMAND = Command(
    "%do NAME",
    "Do a thing.",
    (Option("--signature", "which one", "S"), Option("--lazy", "later"), Option("-o", "to where", "VAR")),
)


@pytest.mark.parametrize(
    "words",
    [
        ["--signature", "s", "a", "b"],
        ["a", "--signature", "s", "b"],
        ["a", "b", "--signature", "s"],
        ["a", "b", "--signature=s"],
        ["a", "b", "--signature='s'"],
    ],
)
def test_an_option_may_stand_anywhere(words: list[str]) -> None:
    parsed = parse(words, COMMAND)
    assert (parsed.rest, parsed.values) == (["a", "b"], {"signature": "s"})


def test_an_option_without_a_value_is_a_flag() -> None:
    parsed = parse(["--lazy", "a"], COMMAND)
    assert (parsed.flag("lazy"), parsed.text("lazy"), parsed.flag("signature")) == (True, None, False)


def test_short_and_long_options_and_help_are_told_apart() -> None:
    parsed = parse(["-o", "a,b", "x"], COMMAND)
    assert (parsed.text("o"), parsed.rest, parsed.help) == ("a,b", ["x"], False)
    assert parse(["x", "--help"], COMMAND).help
    assert parse(["-h"], COMMAND).help


@pytest.mark.parametrize("word", ["-1", "-", "--", "-(x)", "-.5", "a-b", "x=-y", "'-o'", "(-o)"])
def test_other_words_with_a_dash_are_no_options(word: str) -> None:
    assert parse(["a", word], COMMAND).rest == ["a", word]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--signatur", "s"], "there is no option --signatur (did you mean '--signature'?)"),
        (["--signatur=s"], "there is no option --signatur (did you mean '--signature'?)"),
        (["a", "-b"], "'-b' is no option"),
        (["a", "-b"], "write it as a - b or in brackets, (a -b)"),
        (["--signature"], "--signature needs a value: --signature S"),
        (["--lazy=yes"], "--lazy takes no value, and 'yes' was given"),
        (["--lazy", "--lazy"], "--lazy is given twice"),
    ],
)
def test_what_is_no_option_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageLineError) as refused:
        parse(words, COMMAND)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("plain", "plain"),
        ("'quoted'", "quoted"),
        ('"quoted"', "quoted"),
        (r'"C:\new"', r"C:\new"),
        (r'r"C:\new"', r"C:\new"),
        ("'''three'''", "three"),
        ("'a' 'b'", "ab"),
        ("'a', 'b'", "'a', 'b'"),
        ("2024", "2024"),
        ("b'bytes'", "b'bytes'"),
        ("'", "'"),
        ("f'{x}'", "f'{x}'"),
    ],
)
def test_quotes_around_a_whole_word_are_taken_off(word: str, text: str) -> None:
    assert unquoted(word) == text


def test_help_shows_usage_summary_and_every_option() -> None:
    assert COMMAND.help().splitlines() == [
        "%do NAME [options]",
        "    Do a thing.",
        "      --signature S    which one",
        "      --lazy           later",
        "      -o VAR           to where",
    ]
