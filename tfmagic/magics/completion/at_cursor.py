"""What is offered at the cursor, wherever it is."""

from __future__ import annotations

from typing import Any

from tfmagic.magics.completion.cursor import MagicLine, place_of
from tfmagic.magics.completion.model_line import model_line
from tfmagic.magics.completion.offer import Offers
from tfmagic.magics.completion.python_names import PythonNames
from tfmagic.magics.completion.run_line import run_line
from tfmagic.magics.completion.runtime_line import runtime_line
from tfmagic.magics.grammar.line import begun
from tfmagic.model.glance import glance


def offers_at(shell: Any, text: str, row: int, column: int) -> Offers | None:
    """Return what is offered at the cursor, None where it is none of tfmagic's business.

    Parameters
    ----------
    shell
        The shell whose notebook it is.
    text
        The whole cell.
    row, column
        The cursor's line, and its place there, from 0.
    """
    place = place_of(text, row, column, lambda name: _is_automagic(shell, name))
    if place is None:
        return None
    if not isinstance(place, MagicLine):
        room = glance(place.model)
        if room is None:
            return None
        return PythonNames(shell, {**room.bound, **room.names}).cell(place.code)
    if _has_ended(place.before) or place.magic == "tf_panel":
        return Offers()
    if place.magic == "tf_runtime":
        return Offers() if place.cell else runtime_line(place)
    room = None if place.room is None else glance(place.room)
    names = PythonNames(shell, {} if room is None else {**room.bound, **room.names})
    return model_line(place, names) if place.magic == "tf_model" else run_line(place, names)


def _has_ended(before: str) -> bool:
    """Return whether the cursor is in a comment, or behind the ``;`` that ends a line."""
    here = begun(before)
    return here.comment or (before.rstrip().endswith(";") and not here.quote and not here.closers)


def _is_automagic(shell: Any, name: str) -> bool:
    return bool(shell.automagic) and name not in shell.user_ns and shell.find_line_magic(name) is not None
