"""Where the cursor is: in a line of ours, in a cell of a room, or elsewhere."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from tfmagic.errors import UsageLineError
from tfmagic.magics.commands.run import CELL
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import parse

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = r"(?P<magic>tf_model|tf_panel|tf_runtime|tf_run)\s"
_OPENING = re.compile(rf"\s*%%{_MAGIC}")
# Also behind another line magic, as in "%time %tf_run …".
_LINE = re.compile(rf"\s*(?:%(?!tf_)\w+(?:\s+-\S+)*\s+)?%{_MAGIC}")
_ASSIGNED = re.compile(rf"\s*(?P<target>[^%#]*[^%#=!<>])=\s*%{_MAGIC}")
_AUTOMAGIC = re.compile(rf"\s*{_MAGIC}(?!\s*[=,])")


@dataclass(frozen=True)
class MagicLine:
    """A line of one of tfmagic's magics, or the first of a cell magic, that the cursor is in.

    `before` and `after` the cursor stands what follows the magic's name; `leading` is the code
    of the cell above. `room` is the model in whose cell the line stands.
    """

    magic: str
    cell: bool
    before: str
    after: str
    leading: str = ""
    room: str | None = None


@dataclass(frozen=True)
class RoomCode:
    """The code of a ``%%tf_run`` cell up to the cursor, and the model in whose room it runs."""

    model: str
    code: str


def place_of(text: str, row: int, column: int, automagic: Callable[[str], bool]) -> MagicLine | RoomCode | None:
    """Return what the cursor is in, at row and column from 0; None for anything not tfmagic's.

    `automagic` tells whether a magic can be called by a name without its ``%``.
    """
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    opening = _OPENING.match(lines[first])
    if opening is None:
        return _line(lines, row, column) or _automagic(text, lines[row], column, automagic)
    if row <= first:
        return _after(opening, lines[row], column, cell=True) if row == first else None
    code, at = lines[first + 1 :], row - first - 1
    room = _model_of(lines[first][opening.end() :]) if opening["magic"] == "tf_run" else None
    magic_line = _line(code, at, column, room)
    if magic_line is not None or room is None:
        return magic_line
    return RoomCode(room, "\n".join([*code[:at], code[at][:column]]))


def _after(magic: re.Match[str], line: str, column: int, *, cell: bool = False) -> MagicLine | None:
    start = magic.end()
    return MagicLine(magic["magic"], cell, line[start:column], line[column:]) if column >= start else None


def _automagic(text: str, line: str, column: int, automagic: Callable[[str], bool]) -> MagicLine | None:
    # IPython looks for automagics in cells of one line only.
    magic = None if "\n" in text.strip() else _AUTOMAGIC.match(line)
    return None if magic is None or not automagic(magic["magic"]) else _after(magic, line, column)


def _line(code: list[str], at: int, column: int, room: str | None = None) -> MagicLine | None:
    # A backslash at a line's end continues a magic, as IPython has it.
    start = at
    while start > 0 and code[start - 1].endswith("\\"):
        start -= 1
    before = " ".join([*(line[:-1] for line in code[start:at]), code[at][:column]])
    magic = _LINE.match(before) or _assigned(before)
    if magic is None:
        return None
    after = code[at][column:]
    while after.endswith("\\") and at + 1 < len(code):
        at += 1
        after = f"{after[:-1]} {code[at]}"
    indent = before[: len(before) - len(before.lstrip())]
    leading = "\n".join([*code[:start], indent])
    return MagicLine(magic["magic"], cell=False, before=before[magic.end() :], after=after, leading=leading, room=room)


def _assigned(before: str) -> re.Match[str] | None:
    """Match ``r = %tf_run …``, unless what comes before the ``=`` is no target."""
    magic = _ASSIGNED.match(before)
    if magic is None:
        return None
    try:
        ast.parse(f"{dedent(magic['target']).strip()} = 0")
    except (SyntaxError, ValueError):
        return None
    return magic


def _model_of(line: str) -> str | None:
    """Return the model that a ``%%tf_run`` line names."""
    try:
        return next(iter(parse(split(line).words, CELL).rest), None)
    except UsageLineError:
        return None
