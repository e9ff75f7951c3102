"""PATH on a line that saves: what is the path itself, and what an expression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.destination import destination

NAMES: dict[str, Any] = {"folder": Path("runs"), "text": "here.pb", "n": 3, "net": object(), "os": __import__("os")}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("out", "out"),
        ("./out.pb", "./out.pb"),
        ("../a/b-1.5", "../a/b-1.5"),
        ("models/churn/2", "models/churn/2"),
        ('"my net"', "my net"),
        ("'folder'", "folder"),
        ("folder", "runs"),
        ("text", "here.pb"),
        ('folder / "a b"', "runs/a b"),
        ('f"run{n}.pb"', "run3.pb"),
        ("(folder)", "runs"),
        ("(os.path.join('a', 'b'))", "a/b"),
        # Names that are bound to no path, and what is bound to nothing.
        ("net", "net"),
        ("n", "n"),
        ("net.pb", "net.pb"),
        ("folder.pb", "folder.pb"),
        ("text.keras", "text.keras"),
        ("unbound/net", "unbound/net"),
        ("n/net", "n/net"),
        ("~/net", "~/net"),
    ],
)
def test_what_is_meant_by_a_path(typed: str, meant: str) -> None:
    assert destination(typed, NAMES) == meant


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("two words", r"'two words' has blanks: write it in quotes, \"two words\""),
        ("(n)", r"\(n\) gives an object of int, and a path was expected"),
    ],
)
def test_what_cannot_be_a_path(typed: str, why: str) -> None:
    with pytest.raises(UsageLineError, match=why):
        destination(typed, NAMES)


def test_an_expression_in_brackets_says_what_it_raised() -> None:
    with pytest.raises(UsageLineError, match="ZeroDivisionError"):
        destination("(1 / 0)", NAMES)
