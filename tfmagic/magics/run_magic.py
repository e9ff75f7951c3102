"""``%tf_run`` and ``%%tf_run``: inputs from the line, results to the notebook."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tfmagic.errors import UnknownNameError, UsageLineError, did_you_mean
from tfmagic.magics.expression import evaluate
from tfmagic.magics.expression import parsed as parsed_expression
from tfmagic.magics.line import split
from tfmagic.magics.options import Command, Option, parse
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.model.cell import Cell
    from tfmagic.model.model import Model
    from tfmagic.model.result import Result

_INPUT = re.compile(r"^(?P<name>[^\W\d]\w*)=(?!=)(?P<rest>.*)$", re.DOTALL)

_OUT = Option("-o", "into the notebook: VAR the result, a,b outputs by position, mine=theirs by name", "VAR", "out")

LINE = Command(
    "%tf_run NAME [x=EXPR...] [EXPR]",
    "Run a model. One input needs no name; a dict, or **EXPR, gives several by name. "
    "With -o and no input, a name of the model's room is sent out.",
    (
        _OUT,
        Option("--signature", "another signature than the default one", "S", "signature"),
        Option("--fetch", "only these outputs, or any tensor of the graph by name", "a,b", "tensors"),
    ),
)
CELL = Command(
    "%%tf_run NAME",
    "Run the cell in the model's room: its graph and session are the current ones, its names shadow the "
    "notebook's, and what is assigned stays there unless -o sends it out.",
    (_OUT,),
)


@dataclass
class RunLine:
    """A ``%tf_run`` line taken apart.

    Attributes
    ----------
    model
        The model's name.
    positional
        The expression without a name, None where there is none.
    named
        Expressions by input name.
    spread
        The expressions after ``**``.
    out
        Pairs of a notebook name and what it is to get; None for the result, or
        for the output at that position.
    """

    model: str = ""
    positional: str | None = None
    named: dict[str, str] = field(default_factory=dict)
    spread: list[str] = field(default_factory=list)
    out: list[tuple[str, str | None]] = field(default_factory=list)
    signature: str | None = None
    fetch: list[str] | None = None
    silent: bool = False
    help: bool = False

    @property
    def has_inputs(self) -> bool:
        """Whether any input was given."""
        return self.positional is not None or bool(self.named) or bool(self.spread)


def read(line: str) -> RunLine:
    """Take a ``%tf_run`` line apart.

    Raises
    ------
    UsageLineError
        For a line that does not follow the grammar.
    """
    words = split(line)
    parsed = parse(words.words, LINE)
    run = RunLine(silent=words.silent, help=parsed.help, signature=parsed.text("signature"))
    if run.help:
        return run
    if not parsed.rest:
        msg = f"a model's name was expected: {LINE.usage}"
        raise UsageLineError(msg)
    run.model, *rest = parsed.rest
    fetch = parsed.text("fetch")
    if fetch is not None:
        run.fetch = [part.strip() for part in fetch.split(",") if part.strip()]
        if not run.fetch:
            msg = "--fetch names nothing: expected --fetch a,b"
            raise UsageLineError(msg)
    run.out = out_names(parsed.text("o"))
    _read_inputs(run, rest)
    return run


def input_parts(words: Sequence[str]) -> list[tuple[str | None, list[str]]]:
    """Return the inputs of a line: the name of each, ``**`` or None, and the pieces of its expression."""
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
    if isinstance(tree, ast.Tuple) and not text.lstrip().startswith("("):
        msg = (
            f"{text!r} are {len(tree.elts)} inputs, and their order is not to be trusted: give each by its name, "
            "or put brackets around one tuple"
        )
        raise UsageLineError(msg)
    if tree is None:
        if name is None and re.match(r"^[^\W\d]\w*\s+=[^=]", text):
            without_blanks = re.sub(r"\s*=\s*", "=", text, count=1)
            msg = f"{text!r}: write an input without blanks around the =, as {without_blanks}"
        elif " " in text:
            msg = (
                f"{shown}{text} is not one expression: several inputs are given by name (x=… y=…), "
                f"after the model's name ({run.model})"
            )
        else:
            msg = f"{shown}{text} is no Python expression"
        raise UsageLineError(msg)


def out_names(text: str | None) -> list[tuple[str, str | None]]:
    """Return the pairs of an ``-o`` value.

    Raises
    ------
    UsageLineError
        For what cannot be a name in the notebook.
    """
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
            msg = f"-o {text}: {mine!r} stands there twice"
            raise UsageLineError(msg)
        pairs.append((mine, theirs or None))
    return pairs


def run_line(run: RunLine, names: Mapping[str, Any], push: Callable[[dict[str, Any]], None]) -> Any:
    """Run a model as a line says, and return what is to be displayed.

    Parameters
    ----------
    run
        The line.
    names
        The names that expressions see.
    push
        Binds names in the notebook.
    """
    __tracebackhide__ = True
    model = the_models()[run.model]
    if run.out and not run.has_inputs and run.fetch is None and run.signature is None:
        sent = _from_room(model, run.out)
        if sent is not None:
            push(sent)
            return None
    # Here, for it imports NumPy: loading the extension is to stay quick.
    from tfmagic.model.inputs import MISSING

    positional, named = _inputs(run, names)
    result = model.run_stoppable(
        MISSING if positional is _NOTHING else positional,
        named,
        fetch=run.fetch,
        signature=run.signature,
    )
    if run.out:
        push(_assigned(model, result, run.out))
        return None
    if run.silent:
        return None
    return next(iter(result.values())) if len(result) == 1 else result


_NOTHING = object()


def _inputs(run: RunLine, names: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    __tracebackhide__ = True
    named = {name: evaluate(text, names) for name, text in run.named.items()}
    for text in run.spread:
        value = evaluate(text, names)
        if not isinstance(value, Mapping):
            msg = f"**{text} is a {type(value).__name__}, expected a mapping of inputs by name"
            raise UsageLineError(msg)
        for name, one in value.items():
            if name in named:
                msg = f"input {name!r} is given twice"
                raise UsageLineError(msg)
            named[str(name)] = one
    return (_NOTHING if run.positional is None else evaluate(run.positional, names)), named


def _from_room(model: Model, out: Sequence[tuple[str, str | None]]) -> dict[str, Any] | None:
    """Return names of the room to send out; None where the line asks for a run instead."""
    room = model.names
    wanted = {mine: theirs or mine for mine, theirs in out}
    signature = model.signature()
    # A model that needs no input can be run, and its output's value is what is meant.
    runs = not signature.required and all(signature.output(theirs) is not None for theirs in wanted.values())
    if not runs and all(theirs in room for theirs in wanted.values()):
        return {mine: room[theirs] for mine, theirs in wanted.items()}
    if not signature.required:
        return None
    lacking = next(theirs for theirs in wanted.values() if theirs not in room)
    msg = (
        f"the room of {model.name} has no name {lacking!r}{did_you_mean(lacking, room)}; "
        f"to run {model.name}, give its inputs too"
    )
    raise UnknownNameError(msg)


def _assigned(model: Model, result: Result, out: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    positions = [mine for mine, theirs in out if theirs is None]
    values: dict[str, Any] = {}
    if len(positions) == 1 and len(out) == 1:
        values[positions[0]] = next(iter(result.values())) if len(result) == 1 else result
        return values
    if positions and len(positions) != len(result):
        msg = (
            f"-o names {len(positions)} outputs by position and {model.name} gave {len(result)} "
            f"({', '.join(result)}): name as many, or say mine=theirs"
        )
        raise UsageLineError(msg)
    by_position = dict(zip(positions, result.values(), strict=True)) if positions else {}
    for mine, theirs in out:
        values[mine] = by_position[mine] if theirs is None else result[theirs]
    return values


def read_cell_line(line: str) -> RunLine:
    """Take a ``%%tf_run`` line apart.

    Raises
    ------
    UsageLineError
        For a line that does not follow the grammar.
    """
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
    return run


def run_cell(run: RunLine, cell: Cell, names: Mapping[str, Any], push: Callable[[dict[str, Any]], None]) -> Any:
    """Run a cell in a model's room, and return what is to be displayed."""
    __tracebackhide__ = True
    model = the_models()[run.model]
    value = model.execute(cell, names)
    if not run.out:
        return None if run.silent else value
    room = model.names
    push({mine: room[theirs or mine] for mine, theirs in run.out})
    return None
