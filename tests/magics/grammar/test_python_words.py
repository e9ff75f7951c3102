"""Words of a line that are Python's, and not names or options."""

from __future__ import annotations

import pytest

from tfmagic.errors import UsageLineError
from tfmagic.magics.commands.run import out_names, read


@pytest.mark.parametrize("text", ["class", "None", "a,True", "lambda=theirs"])
def test_a_keyword_is_no_name(text: str) -> None:
    with pytest.raises(UsageLineError, match=r"-o .* is a word of Python's own, which nothing can be called"):
        out_names(text)


def test_an_h_behind_an_expression_is_not_help() -> None:
    with pytest.raises(UsageLineError, match="a - h"):
        read("s1 a -h")


@pytest.mark.parametrize("line", ["-h", "--help", "s1 a --help"])
def test_help_is_asked_for_by_its_whole_word(line: str) -> None:
    assert read(line).help
