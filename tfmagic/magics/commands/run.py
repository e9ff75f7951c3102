"""The lines of ``%tf_run`` and ``%%tf_run``: their options, and how they are parsed."""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfmagic.core.arguments import seconds, whole_number
from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.expression import parsed as parsed_expression
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import Command, Option, Parsed, parse
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from collections.abc import Sequence

_INPUT = re.compile(r"^(?P<name>[^\W\d]\w*)=(?!=)(?P<rest>.*)$", re.DOTALL)

_OUT = Option("-o", "into the notebook: VAR the result, a,b outputs by position, mine=theirs by name", "VAR", "out")

LINE = Command(
    "%tf_run NAME[,NAME...] [x=EXPR...] [EXPR]",
    "Run a model. One input needs no name; a dict, or **EXPR, gives several by name. "
    "With -o and no input, a name of the model's room is sent out. Several models, a,b,c, run at the same time on "
    'the same inputs, and a table compares them with the first; -o r gives r["a"]. With -o no result is displayed; '
    "what compares, times or traces is, unless the line ends in a semicolon.",
    (
        _OUT,
        Option("--signature", "another signature than the default one", "S", "signature"),
        Option("--fetch", "only these outputs, or any tensor of the graph by name", "a,b", "tensors"),
        Option(
            "--batch-size",
            "so many rows of the inputs at a time, with a progress bar, joined at the end; interrupted, the "
            "finished rows go to VAR",
            "N",
        ),
        Option("--repeat", "time it as %timeit would, in N runs; -o VAR gets the figures", "N"),
        Option("--trace", "one traced run: time, device and bytes of each operation, kept in models.NAME.trace"),
        Option("--timeout", "give up after so many seconds", "S"),
    ),
)
CELL = Command(
    "%%tf_run NAME",
    "Run the cell in the model's room: its graph and session are the current ones, its names shadow the "
    "notebook's, and what is assigned stays there unless -o sends it out.",
    (_OUT,),
)
DOCUMENTED = (LINE, CELL)


@dataclass
class RunLine:
    """A parsed ``%tf_run`` line: its inputs are expressions.

    `spread` has those after ``**``; `out` pairs of a notebook name and the output it gets,
    None for the result or for the output at that position.
    """

    model: str = ""
    positional: str | None = None
    named: dict[str, str] = field(default_factory=dict)
    spread: list[str] = field(default_factory=list)
    out: list[tuple[str, str | None]] = field(default_factory=list)
    signature: str | None = None
    fetch: list[str] | None = None
    batch_size: int | None = None
    repeat: int | None = None
    trace: bool = False
    timeout: float | None = None
    silent: bool = False
    help: bool = False

    @property
    def models(self) -> list[str]:
        """The models' names; several are compared."""
        return self.model.split(",")

    @property
    def has_inputs(self) -> bool:
        """Whether any input was given."""
        return self.positional is not None or bool(self.named) or bool(self.spread)


def read(line: str) -> RunLine:
    """Parse a ``%tf_run`` line."""
    words = split(line)
    parsed = parse(words.words, LINE)
    run = RunLine(silent=words.silent, help=parsed.help, signature=parsed.text("signature"))
    if run.help:
        return run
    parsed.expect("a model's name was", LINE)
    run.model, *rest = parsed.rest
    fetch = parsed.text("fetch")
    if fetch is not None:
        run.fetch = [part.strip() for part in fetch.split(",") if part.strip()]
        if not run.fetch:
            msg = "--fetch names nothing: expected --fetch a,b"
            raise UsageLineError(msg)
    run.out = out_names(parsed.text("o"))
    _read_modes(run, parsed)
    _read_inputs(run, rest)
    return run


def _read_modes(run: RunLine, parsed: Parsed) -> None:
    """Read the options that say how to run; not all of them go together."""
    size, repeat, timeout = (parsed.text(key) for key in ("batch-size", "repeat", "timeout"))
    run.batch_size = None if size is None else whole_number("--batch-size", size)
    run.repeat = None if repeat is None else whole_number("--repeat", repeat)
    run.timeout = None if timeout is None else seconds("--timeout", timeout)
    run.trace = parsed.flag("trace")
    if not all(run.models):
        msg = f"{run.model!r} lacks a model's name: several are written a,b,c without blanks between"
        raise UsageLineError(msg)
    given = {
        "several models": len(run.models) > 1,
        "--batch-size": run.batch_size is not None,
        "--repeat": run.repeat is not None,
        "--trace": run.trace,
    }
    for one, other in _EXCLUSIVE:
        if given[one] and given[other]:
            msg = f"{one} and {other} do not go together: run it once for each"
            raise UsageLineError(msg)
    if run.repeat is not None and (len(run.out) > 1 or any(theirs for _, theirs in run.out)):
        msg = "with --repeat, -o takes one name, for the figures: write -o VAR"
        raise UsageLineError(msg)


_EXCLUSIVE = (
    ("several models", "--repeat"),
    ("several models", "--trace"),
    ("--batch-size", "--repeat"),
    ("--batch-size", "--trace"),
    ("--repeat", "--trace"),
)


def input_parts(words: Sequence[str]) -> list[tuple[str | None, list[str]]]:
    """Return each input of a line: its name, ``**`` or None, and the words of its expression."""
    parts: list[tuple[str | None, list[str]]] = []
    for word in words:
        named = _INPUT.match(word)
        if named is not None:
            parts.append((named["name"], [named["rest"]] if named["rest"] else []))
        elif word.startswith("**"):
            parts.append(("**", [word[2:]] if word[2:] else []))
        elif parts:
            parts[-1][1].append(word)
        else:
            parts.append((None, [word]))
    return parts


def _read_inputs(run: RunLine, words: Sequence[str]) -> None:
    for name, pieces in input_parts(words):
        text = " ".join(pieces)
        _check_expression(run, name, text)
        if name is None:
            run.positional = text
        elif name == "**":
            run.spread.append(text)
        elif name in run.named:
            msg = f"input {name!r} is given twice"
            raise UsageLineError(msg)
        else:
            run.named[name] = text


def _check_expression(run: RunLine, name: str | None, text: str) -> None:
    shown = f"{name}=" if name not in {None, "**"} else name or ""
    if not text:
        msg = f"{shown} has no value: write {shown}EXPR, without a blank between"
        raise UsageLineError(msg)
    tree = parsed_expression(text)
    if text.endswith(",") and name not in {None, "**"}:
        msg = f"{shown}{text} ends in a comma: inputs stand apart by blanks alone, as x=… y=…"
        raise UsageLineError(msg)
    if isinstance(tree, ast.Tuple) and not text.lstrip().startswith("("):
        msg = (
            f"{text!r} are {len(tree.elts)} inputs, and inputs have no order: give each by its name, "
            "or put brackets around one tuple"
        )
        raise UsageLineError(msg)
    if tree is None:
        apart = re.search(r"(?:^|\s)([^\W\d]\w*)\s+=(?!=)\s*(\S*)", text)
        if apart is not None:
            msg = f"{shown}{text}: write an input without blanks around the =, as {apart[1]}={apart[2]}"
        elif (other := text.partition(" ")[0]) in the_models():
            msg = f"{shown}{text}: several models stand without a blank between, as %tf_run {run.model},{other} X"
        elif " " in text:
            msg = (
                f"{shown}{text} is not one expression: several inputs are given by name (x=… y=…), "
                f"after the model's name ({run.model})"
            )
        else:
            msg = f"{shown}{text} is no Python expression"
        raise UsageLineError(msg)


def out_names(text: str | None) -> list[tuple[str, str | None]]:
    """Return the pairs of an ``-o`` value."""
    pairs: list[tuple[str, str | None]] = []
    for part in [] if text is None else text.split(","):
        mine, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not mine.isidentifier() or (equals and not theirs):
            msg = f"-o {text}: {part.strip()!r} is no name; expected VAR, a,b or mine=theirs"
            raise UsageLineError(msg)
        if keyword.iskeyword(mine):
            msg = f"-o {text}: {mine!r} is a word of Python's own, which nothing can be called"
            raise UsageLineError(msg)
        if mine in {name for name, _ in pairs}:
            msg = f"-o {text}: {mine!r} is given twice"
            raise UsageLineError(msg)
        pairs.append((mine, theirs or None))
    return pairs


def read_cell_line(line: str) -> RunLine:
    """Parse a ``%%tf_run`` line."""
    words = split(line)
    parsed = parse(words.words, CELL)
    run = RunLine(silent=words.silent, help=parsed.help, out=out_names(parsed.text("o")))
    if run.help:
        return run
    if len(parsed.rest) != 1:
        msg = (
            f"one model's name was expected: {CELL.usage} (inputs are for the line magic; "
            "the cell sees the notebook's names)"
        )
        raise UsageLineError(msg)
    run.model = parsed.rest[0]
    if len(run.models) > 1:
        msg = f"a cell runs in the room of one model, and {run.model!r} are several: leave one"
        raise UsageLineError(msg)
    return run
