"""The grammar of ``%tf_run`` and ``%%tf_run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import frozen_linear

from tfmagic import models
from tfmagic.errors import TfMagicError, UsageLineError
from tfmagic.magics.commands.run import RunLine, out_names, read, read_cell_line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "run"),
    [
        ("net", RunLine("net")),
        ("net X", RunLine("net", positional="X")),
        ("net X[:8, :]", RunLine("net", positional="X[:8, :]")),
        ("net X - 1", RunLine("net", positional="X - 1")),
        ("net X -1", RunLine("net", positional="X -1")),
        ("net X if a == b else Y", RunLine("net", positional="X if a == b else Y")),
        ("net x==5", RunLine("net", positional="x==5")),
        ("net (x, y)", RunLine("net", positional="(x, y)")),
        ("net x=X", RunLine("net", named={"x": "X"})),
        ("net x=X y=Y + 1", RunLine("net", named={"x": "X", "y": "Y + 1"})),
        ("net x= X", RunLine("net", named={"x": "X"})),
        ("net x=a==b", RunLine("net", named={"x": "a==b"})),
        ("net naïve=X", RunLine("net", named={"naïve": "X"})),
        ("net f(x=1)", RunLine("net", positional="f(x=1)")),
        ("net **given", RunLine("net", spread=["given"])),
        ("net ** given y=Y", RunLine("net", spread=["given"], named={"y": "Y"})),
        ("net {'a': 1}", RunLine("net", positional="{'a': 1}")),
        ("net X --fetch a,b", RunLine("net", positional="X", fetch=["a", "b"])),
        ("net --fetch=a X", RunLine("net", positional="X", fetch=["a"])),
        ("--signature s net X", RunLine("net", positional="X", signature="s")),
        ("net X -o r", RunLine("net", positional="X", out=[("r", None)])),
        ("net X;", RunLine("net", positional="X", silent=True)),
        ("net X # it's -o r", RunLine("net", positional="X")),
        ("old,new X", RunLine("old,new", positional="X")),
        ("net X --batch-size 32", RunLine("net", positional="X", batch_size=32)),
        ("net --batch-size=32 X", RunLine("net", positional="X", batch_size=32)),
        ("net X --repeat 7 -o t", RunLine("net", positional="X", repeat=7, out=[("t", None)])),
        ("net X --trace", RunLine("net", positional="X", trace=True)),
        ("net X --timeout 1.5", RunLine("net", positional="X", timeout=1.5)),
        ("net X --trace --timeout 5", RunLine("net", positional="X", trace=True, timeout=5.0)),
        ("a,b X --batch-size 2 --timeout 5", RunLine("a,b", positional="X", batch_size=2, timeout=5.0)),
    ],
)
def test_a_line_is_taken_apart(line: str, run: RunLine) -> None:
    assert read(line) == run


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "a model's name was expected"),
        ("net X Y", "several inputs are given by name"),
        ("net X, Y", "inputs have no order"),
        ("net x=X, Y", "inputs have no order"),
        ("net x=X x=Y", "input 'x' is given twice"),
        ("net x=", "x= has no value"),
        ("net x = X", "as x=X"),
        ("net **", "** has no value"),
        ("net X +", "is not one expression"),
        ("net a -b", "a - b"),
        ("net X --fetch ,", "--fetch names nothing"),
        ("net X --outputs y", "there is no option --outputs"),
        *[
            (f"net X {option} {value}", f"{option} takes a whole number from 1 on, got {value}")
            for option in ("--batch-size", "--repeat")
            for value in ("0", "-1", "abc", "1.5", "--trace")
        ],
        *[
            (f"net X --timeout {value}", f"--timeout takes a number of seconds above 0, got {value}")
            for value in ("0", "-1", "abc", "nan", "inf", "--trace")
        ],
        *[(f"net X {option}", f"{option} needs a value") for option in ("--batch-size", "--repeat", "--timeout")],
        ("net X --trace=yes", "--trace takes no value"),
        ("net X --trace --trace", "--trace is given twice"),
        ("net X --repeat 3 --batch-size 2", "--batch-size and --repeat do not go together"),
        ("net X --repeat 3 --trace", "--repeat and --trace do not go together"),
        ("net X --trace --batch-size 2", "--batch-size and --trace do not go together"),
        ("a,b X --trace", "several models and --trace do not go together"),
        ("a,b X --repeat 3", "several models and --repeat do not go together"),
        ("a, b X", "'a,' lacks a model's name: several are written a,b,c without blanks between"),
        ("a,,b X", "'a,,b' lacks a model's name"),
        ("net X --repeat 3 -o a,b", "with --repeat, -o takes one name"),
        ("net X --repeat 3 -o a=b", "with --repeat, -o takes one name"),
    ],
)
def test_a_line_that_breaks_the_grammar_is_refused(line: str, said: str) -> None:
    with pytest.raises(TfMagicError) as refused:
        read(line)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_second_model_after_a_blank_leads_to_the_comma(tmp_path: Path) -> None:
    models.add("other", frozen_linear(tmp_path / "net.pb"), lazy=True)
    with pytest.raises(UsageLineError, match="as %tf_run net,other X"):
        read("net other X")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (None, []),
        ("r", [("r", None)]),
        ("a,b", [("a", None), ("b", None)]),
        ("a, b", [("a", None), ("b", None)]),
        ("mine=theirs", [("mine", "theirs")]),
        ("mine=scope/y:0,b", [("mine", "scope/y:0"), ("b", None)]),
    ],
)
def test_o_pairs_a_notebook_name_with_what_it_gets(text: str | None, pairs: list[tuple[str, str | None]]) -> None:
    assert out_names(text) == pairs


@pytest.mark.parametrize("text", ["", "1a", "a,", "a b", "=y", "mine=", "a,a", "a.b"])
def test_an_o_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageLineError, match="-o"):
        out_names(text)


def test_a_cell_line_takes_one_name_and_o() -> None:
    assert read_cell_line("net -o a,mine=b;") == RunLine("net", out=[("a", None), ("mine", "b")], silent=True)


@pytest.mark.parametrize("line", ["", "net other", "net x=1"])
def test_a_cell_line_without_one_name_is_refused(line: str) -> None:
    with pytest.raises(UsageLineError, match="one model's name was expected"):
        read_cell_line(line)


def test_a_cell_runs_in_one_models_room() -> None:
    with pytest.raises(UsageLineError, match="a cell runs in the room of one model, and 'a,b' are several"):
        read_cell_line("a,b")


@pytest.mark.parametrize("option", ["--batch-size 2", "--repeat 2", "--trace", "--timeout 2"])
def test_how_to_run_is_for_the_line_magic(option: str) -> None:
    with pytest.raises(UsageLineError, match="there is no option --"):
        read_cell_line(f"net {option}")
