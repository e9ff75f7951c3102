"""Completions at the cursor, in any of tfmagic's lines and in the cells of a room."""

from __future__ import annotations

from typing import Any

from tfmagic.magics.completion.candidates import Candidates
from tfmagic.magics.completion.cursor import MagicLine, place_of
from tfmagic.magics.completion.python_names import PythonNames
from tfmagic.magics.completion.run_line import run_line
from tfmagic.magics.completion.verb_line import verb_line
from tfmagic.magics.grammar.line import split_partial
from tfmagic.model.glance import glance


def candidates_at(shell: Any, text: str, row: int, column: int) -> Candidates | None:
    """Return what Tab offers at row and column (from 0) of a cell; None outside of tfmagic's lines and cells."""

    def is_automagic(name: str) -> bool:
        return bool(shell.automagic) and name not in shell.user_ns and shell.find_line_magic(name) is not None

    place = place_of(text, row, column, is_automagic)
    if place is None:
        return None
    if not isinstance(place, MagicLine):
        room = glance(place.model)
        return None if room is None else PythonNames(shell, {**room.bound, **room.names}).cell(place.code)
    # In a comment, or after the ; that ends a line.
    partial = split_partial(place.before)
    has_ended = partial.comment or (place.before.rstrip().endswith(";") and not partial.quote and not partial.closers)
    if has_ended or place.magic == "tf_panel" or (place.cell and place.magic == "tf_runtime"):
        return Candidates()
    room = None if place.room is None else glance(place.room)
    names = PythonNames(shell, {} if room is None else {**room.bound, **room.names})
    return run_line(place, names) if place.magic == "tf_run" else verb_line(place, names)
