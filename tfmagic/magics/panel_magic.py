"""``%tf_panel``: the panel, below the cell."""

from __future__ import annotations

from typing import Any

from tfmagic.errors import UsageLineError
from tfmagic.magics.line import split
from tfmagic.magics.options import Command, parse
from tfmagic.panel.view import Sentence

COMMAND = Command(
    "%tf_panel",
    "Show libraries, placement, memory, models and log of this kernel, live, also while a cell runs. In a terminal, "
    "and wherever widgets are not shown, it is the same as text.",
)


def run_line(line: str) -> Any:
    """Do what a ``%tf_panel`` line says, and return what is to be shown."""
    __tracebackhide__ = True
    parsed = parse(list(split(line).words), COMMAND)
    if parsed.help:
        return Sentence(COMMAND.help())
    if parsed.rest:
        msg = f"{' '.join(parsed.rest)!r} was not expected: {COMMAND.usage}"
        raise UsageLineError(msg)
    from tfmagic.panel.making import panel

    return panel()
